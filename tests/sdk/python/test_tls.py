"""A provider behind TLS: trusted by `ca_file`, or not called at all."""

import ssl
import subprocess

import openai
import pytest
from harness import MODEL, Larder, pure
from outcome import exact
from provider import Provider


def openssl(folder, *arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, cwd=folder)


KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def certificate(folder, name, subject):
    """An authority's certificate, and one that it gives to `name` with its key."""
    openssl(folder, "req", "-x509", *KEY, "-days", 2, "-subj", f"/CN={name} authority",
            "-out", f"{name}-ca.pem", "-keyout", f"{name}-ca.key")
    openssl(folder, "req", "-new", *KEY, "-subj", f"/CN={name}",
            "-out", f"{name}.csr", "-keyout", f"{name}.key")
    (folder / f"{name}.ext").write_text(f"subjectAltName={subject}\nbasicConstraints=CA:FALSE\n")
    openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{name}-ca.pem",
            "-CAkey", f"{name}-ca.key", "-CAcreateserial", "-days", 2,
            "-extfile", f"{name}.ext", "-out", f"{name}.pem")
    return folder / f"{name}-ca.pem", folder / f"{name}.pem", folder / f"{name}.key"


def server(chain, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    return context


@pytest.fixture
def tls_provider(tmp_path):
    authority, chain, key = certificate(tmp_path, "provider", "IP:127.0.0.1")
    with Provider(tls=server(chain, key)) as provider:
        provider.ca_file = authority
        yield provider


def through(provider, config):
    """One call through a larder of its own; the answer, or the error."""
    larder = Larder(provider.base_url, config)
    client = openai.OpenAI(base_url=larder.base_url, api_key="sk-one", max_retries=0, timeout=10)
    try:
        return client.embeddings.create(model=MODEL, input="hello")
    except openai.APIStatusError as error:
        return error
    finally:
        client.close()
        larder.stop()


def test_a_provider_whose_root_is_in_ca_file_is_trusted(tls_provider):
    answer = through(tls_provider, f'[providers.openai]\nca_file = "{tls_provider.ca_file}"\n')
    assert [exact(item.embedding) for item in answer.data] == pure("hello")


def test_a_provider_that_nobody_vouches_for_is_told_nothing(tls_provider):
    error = through(tls_provider, "")
    assert error.status_code == 502
    assert error.code == "upstream_unreachable"
    assert tls_provider.requests == []


def test_a_certificate_for_another_name_is_not_taken(tmp_path):
    authority, chain, key = certificate(tmp_path, "other", "DNS:other.example")
    with Provider(tls=server(chain, key)) as provider:
        error = through(provider, f'[providers.openai]\nca_file = "{authority}"\n')
        assert error.status_code == 502
        assert provider.requests == []
