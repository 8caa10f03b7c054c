"""A real Kafka broker that also listens with TLS, with TLS and client certificates, and with SASL over TLS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from tests.brokers import apache
from tests.brokers.certificates import Authority
from tests.brokers.kafka_bed import QUIET, Kafka
from tests.brokers.processes import free_port

USER, PASSWORD = "express", "s3cret-of-express"


class SecuredKafka(Kafka):
    """``ports``: by the name of a listener: SSL, MUTUAL (wants a client's certificate), SASL_SSL, SASL_PLAINTEXT. The certificate is for
    127.0.0.1 alone. ``authority`` signed it, ``stranger`` signed nothing here. Other tests use the plain listener, as of any broker."""

    def __init__(self, folder: Path) -> None:
        self.ports = {name: free_port() for name in ("SSL", "MUTUAL", "SASL_SSL", "SASL_PLAINTEXT")}
        self.authority, self.stranger = Authority(folder), Authority(folder, "stranger")
        certificate, key = self.authority.sign("broker", ["127.0.0.1"])
        self.certificate, self.key = self.authority.sign("client")
        store = folder / "broker-with-key.pem"
        store.write_bytes(key.read_bytes() + certificate.read_bytes())
        plain = "org.apache.kafka.common.security.plain.PlainLoginModule"
        scram = "org.apache.kafka.common.security.scram.ScramLoginModule"
        settings = {
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SSL:SSL,MUTUAL:SSL,"
            "SASL_SSL:SASL_SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,PROXIED:PLAINTEXT",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(store),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.authority.file),
            "listener.name.mutual.ssl.client.auth": "required",
            "sasl.enabled.mechanisms": "SCRAM-SHA-256,SCRAM-SHA-512,PLAIN",
            "listener.name.sasl_plaintext.sasl.enabled.mechanisms": "SCRAM-SHA-256",
            **{
                f"listener.name.{listener}.{mechanism}.sasl.jaas.config": f"{scram} required;"
                for listener in ("sasl_ssl", "sasl_plaintext")
                for mechanism in ("scram-sha-256", "scram-sha-512")
            },
            "listener.name.sasl_ssl.plain.sasl.jaas.config": f'{plain} required user_{USER}="{PASSWORD}";',
        }
        cluster = apache.Cluster(1, settings=settings, listeners=self.ports, proxied=True)
        try:
            cluster.start()
            super().__init__("apache", cluster.servers, cluster)
            self._add_user()
        except BaseException:
            cluster.close()
            raise

    def _add_user(self) -> None:
        admin: Any = AdminClient({"bootstrap.servers": self.servers, **QUIET})
        for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
            wanted = UserScramCredentialUpsertion(USER, ScramCredentialInfo(mechanism, 4096), PASSWORD.encode())
            admin.alter_user_scram_credentials([wanted])[USER].result(30)

    def at(self, listener: str, host: str = "127.0.0.1") -> str:
        return f"{host}:{self.ports[listener]}"
