"""TestState: single states with mocks, from the API's page in AWS's documentation."""
