"""Definitions as pictures: Mermaid text, SVG, a page of HTML; coloured by coverage or by live metrics. Nothing is fetched to read them."""
