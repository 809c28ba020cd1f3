"""The configuration's text: pure, the same for the same instances, and nothing but addresses gets into it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quetzalcore.errors import BadParameter
from quetzalcore.ops.balancer.config import generation, nginx_config
from quetzalcore.ops.balancer.options import BalancerOptions, Limits, Tls, Upstream

OPTIONS = BalancerOptions(folder=Path("/run/q"), version=(1, 22, 1), listen=("0.0.0.0:80",))
TLS = Tls(listen=("0.0.0.0:443",), certificate=Path("/c/full.pem"), private_key=Path("/c/key.pem"))
UPSTREAMS = tuple(Upstream(address=f"10.0.0.{n}:8000") for n in (1, 2))

addresses = st.tuples(st.ip_addresses(v=4), st.integers(1, 65535)).map(lambda a: f"{a[0]}:{a[1]}")


@given(st.lists(addresses, max_size=6))
def test_order_and_repeats_change_nothing_and_every_instance_is_named_once(found) -> None:
    upstreams = [Upstream(address=each) for each in found]
    config = nginx_config(OPTIONS, upstreams)
    assert config == nginx_config(OPTIONS, [*reversed(upstreams), *upstreams])
    for each in set(found):
        assert config.count(f"server {each} ") == 1
    assert config.count("{") == config.count("}")


@given(st.sets(addresses, max_size=4), st.sets(addresses, max_size=4))
def test_a_configuration_has_the_name_of_what_it_serves(one, other) -> None:
    first, second = (nginx_config(OPTIONS, [Upstream(address=a) for a in s]) for s in (one, other))
    assert (generation(first) == generation(second)) == (one == other)
    assert f'return 200 "{generation(first)}";' in first
    assert len(generation(first)) == 16


@pytest.mark.parametrize(
    "address", ["gateway:8000", "10.0.0.1", "10.0.0.1:80;", "1.2.3.4:5 down", "unix:/x", "[x]:1"]
)
def test_what_is_no_address_is_refused(address) -> None:
    with pytest.raises(BadParameter):
        Upstream(address=address)


def test_text_that_would_break_out_of_the_configuration_is_refused() -> None:
    for wrong in (
        {"folder": Path("/run/a b")},
        {"folder": Path("/run/x;}")},
        {"user": "root;"},
        {"acme_folder": Path('/a"')},
        {"metrics_from": ("all",)},
        {"folder": Path("/" + "long" * 30)},
        {"listen": ("80",)},
    ):
        with pytest.raises(BadParameter):
            replace(OPTIONS, **wrong)
    with pytest.raises(BadParameter):
        Limits(exempt_secret='" 0;')  # noqa: S106 -- nobody's


def test_without_instances_there_is_no_upstream_and_every_request_is_told_so() -> None:
    config = nginx_config(OPTIONS, ())
    assert "upstream gateway" not in config
    assert "proxy_pass" not in config
    assert "urn:quetzalcore:problem:unavailable" in config


def test_a_listener_for_the_inside_stays_plain_beside_tls() -> None:
    plain = nginx_config(replace(OPTIONS, inside=("0.0.0.0:8082",)), UPSTREAMS)
    assert plain.count("listen 0.0.0.0:8082;") == 1
    both = nginx_config(replace(OPTIONS, inside=("0.0.0.0:8082",), tls=TLS), UPSTREAMS)
    _, control, sent_away, inside, tls = both.split("server {")
    assert "listen unix:" in control
    assert "listen 0.0.0.0:80;" in sent_away
    assert "return 308" in sent_away
    assert "listen 0.0.0.0:8082;" in inside
    assert "return 308" not in inside
    assert "proxy_pass http://gateway;" in inside
    assert "listen 0.0.0.0:443 ssl" in tls
    with pytest.raises(BadParameter):
        replace(OPTIONS, inside=("8082",))


def test_tls_redirects_and_says_so_to_browsers() -> None:
    config = nginx_config(replace(OPTIONS, tls=TLS, acme_folder=Path("/var/acme")), UPSTREAMS)
    assert "listen 0.0.0.0:443 ssl http2;" in config
    assert "return 308 https://$host$request_uri;" in config
    assert "TLSv1.2 TLSv1.3" in config
    assert 'Strict-Transport-Security "max-age=31536000" always' in config
    assert config.index("acme-challenge") < config.index("return 308")
    other = replace(TLS, listen=("0.0.0.0:8443",), redirect=False, hsts_s=0, stamp="7")
    config = nginx_config(replace(OPTIONS, tls=other), UPSTREAMS)
    assert "308" not in config
    assert "Strict-Transport" not in config
    assert config.count("location = /ws") == 2  # the plain listener serves as well
    redirected = nginx_config(replace(OPTIONS, tls=replace(other, redirect=True)), UPSTREAMS)
    assert "return 308 https://$host:8443$request_uri;" in redirected


def test_a_renewed_certificate_is_a_change() -> None:
    before, after = (replace(OPTIONS, tls=replace(TLS, stamp=stamp)) for stamp in ("1", "2"))
    assert generation(nginx_config(before, ())) != generation(nginx_config(after, ()))


def test_certbot_keeps_certificates_where_it_always_does() -> None:
    tls = Tls.of_certbot("survey.example.org", listen=("0.0.0.0:443",))
    assert str(tls.private_key) == "/etc/letsencrypt/live/survey.example.org/privkey.pem"


def test_newer_versions_are_told_in_their_own_words() -> None:
    old = nginx_config(replace(OPTIONS, tls=TLS), UPSTREAMS)
    new = nginx_config(replace(OPTIONS, tls=TLS, version=(1, 28, 0)), UPSTREAMS)
    assert "http2 on;" in new
    assert "http2 on;" not in old
    assert "keepalive_min_timeout" in new
    assert "keepalive_min_timeout" not in old


def test_secrets_stay_out_of_what_is_shown() -> None:
    limits = Limits(exempt_secret="sesame")  # noqa: S106 -- of nobody
    assert "sesame" not in repr(limits)
    assert '"sesame" "";' in nginx_config(replace(OPTIONS, limits=limits), UPSTREAMS)
