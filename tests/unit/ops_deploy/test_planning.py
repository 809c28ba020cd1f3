"""What is to be done on a host follows from what it is like: steps are compared, nothing runs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quetzalcore.cli.deploy_inputs import read_units
from quetzalcore.ops.deploy.facts import read_facts
from quetzalcore.ops.deploy.files import files_for, paths_of
from quetzalcore.ops.deploy.model import Facts, HostUnfit, Layout, Package, Wish
from quetzalcore.ops.deploy.plan import plan_host
from quetzalcore.ops.deploy.services import GatewayShape, gateway_services, worker_services

PACKAGE = Package(name="quetzalcore-1.0-py3-none-any.whl", version="1.0", wheel=b"wheel")
GATEWAYS = gateway_services(read_units(), Layout(), GatewayShape(ports=range(8001, 8003)))
WISH = Wish(
    role="gateway",
    package=PACKAGE,
    services=GATEWAYS,
    layout=Layout(),
    environment={"SECRET_KEY": "never-to-be-seen", "QUETZAL_ENV": "production"},
)
BARE = Facts(
    host="web1",
    system="Linux",
    machine="x86_64",
    python=(3, 11, 2),
    programs=frozenset({"venv", "flock", "setsid", "sha256sum", "apt-get"}),
    systemd=True,
)
NAMES = [service.name for service in GATEWAYS]


def done(wish: Wish, facts: Facts = BARE) -> Facts:
    """Give what a host is like after a plan was carried out: what its commands write, a look tells."""
    plan = plan_host(facts, wish)
    marks = {
        step.command[-2]: step.command[-1]
        for step in plan.change
        if step.what.startswith("note what")
    }
    return replace(
        facts,
        programs=facts.programs | {"nginx"},
        has_user=True,
        current=wish.package.release,
        releases=(wish.package.release, *facts.releases),
        files={file.path: file.seen for file in files_for(wish, systemd=facts.systemd)},
        active=frozenset(service.name for service in wish.services),
        enabled=frozenset(service.name for service in wish.services),
        marks={**facts.marks, **marks},
    )


def whats(facts: Facts, wish: Wish = WISH) -> list[str]:
    return [step.what for step in plan_host(facts, wish).steps]


def test_a_bare_host_gets_everything_in_order() -> None:
    release = PACKAGE.release
    assert whats(BARE) == [
        "send quetzalcore-1.0-py3-none-any.whl",
        f"install release {release}",
        "install nginx",
        "add the user quetzalcore",
        "keep what is there",
        "write /etc/quetzalcore/quetzal.env (QUETZAL_ENV, SECRET_KEY)",
        "write the unit quetzalcore-gateway@.service",
        "write the unit quetzalcore-gateway.target",
        "write the unit quetzalcore-balancer.service",
        "have systemd read its units",
        f"make {release} the current release",
        *(
            what
            for name, url in (
                ("quetzalcore-gateway@8001", "http://127.0.0.1:8001/ready"),
                ("quetzalcore-gateway@8002", "http://127.0.0.1:8002/ready"),
                ("quetzalcore-balancer", "http://127.0.0.1:80/ready"),
            )
            for what in (
                f"start {name}",
                f"wait until {name} is well ({url} answers)",
                f"note what {name} runs with",
            )
        ),
        f"start with the host: {', '.join(NAMES)}",
        "forget what was kept",
    ]


@pytest.mark.parametrize("systemd", [True, False])
def test_a_host_that_is_as_wished_gets_no_step(systemd) -> None:
    facts = done(WISH, replace(BARE, systemd=systemd))
    if not systemd:
        facts = replace(facts, enabled=frozenset(), active=facts.active - {NAMES[2]})
    plan = plan_host(facts, WISH)
    assert (plan.steps, plan.undo) == ((), ())


def test_what_died_or_does_not_start_with_the_host_is_mended_alone() -> None:
    facts = done(WISH)
    dead = replace(facts, active=facts.active - {"quetzalcore-gateway@8002"})
    assert [what for what in whats(dead) if "start" in what] == ["start quetzalcore-gateway@8002"]
    loose = replace(facts, enabled=facts.enabled - {"quetzalcore-balancer"})
    assert whats(loose) == [
        "keep what is there", "start with the host: quetzalcore-balancer", "forget what was kept",
    ]  # fmt: skip


def test_settings_that_are_not_given_stay_as_they_are() -> None:
    facts = done(WISH)
    same = replace(WISH, environment=None)
    assert whats(facts, same) == []
    with pytest.raises(HostUnfit, match=r"no /etc/quetzalcore/quetzal\.env yet"):
        plan_host(BARE, same)


def test_no_secret_is_in_a_command_a_sentence_or_the_words_for_a_plan() -> None:
    plan = plan_host(BARE, WISH)
    for step in (*plan.steps, *plan.undo):
        assert "never-to-be-seen" not in step.what
        assert not any("never-to-be-seen" in word for word in step.command)
    assert "never-to-be-seen" not in repr(plan) + repr(WISH)
    assert any(b"SECRET_KEY='never-to-be-seen'" in step.stdin for step in plan.steps)


def test_a_new_release_restarts_instances_one_by_one_and_the_balancer_last() -> None:
    newer = replace(WISH, package=replace(PACKAGE, version="2.0", wheel=b"another"))
    starts = [what for what in whats(done(WISH), newer) if what.startswith("restart")]
    assert starts == [
        "restart quetzalcore-gateway@8001",
        "restart quetzalcore-gateway@8002",
        "restart quetzalcore-balancer",
    ]


def test_back_is_where_services_answered_before() -> None:
    moved = replace(
        WISH,
        services=gateway_services(
            read_units(), Layout(), GatewayShape(ports=range(8001, 8003), listen="0.0.0.0:8080")
        ),
    )
    plan = plan_host(done(WISH), moved)
    assert [step.what for step in plan.change if step.what.startswith("restart")] == [
        "restart quetzalcore-balancer"
    ]
    (undo,) = [step for step in plan.undo if "as it was" in step.what]
    assert "http://127.0.0.1:80/ready" in undo.command
    assert undo.command[-1] == done(WISH).marks["quetzalcore-balancer"]
    (ready,) = [step for step in plan.change if "is well" in step.what]
    assert "http://127.0.0.1:8080/ready" in ready.command


def test_surplus_instances_end_and_others_roles_are_left_alone() -> None:
    facts = done(WISH)
    facts = replace(facts, active=facts.active | {"quetzalcore-gateway@8009", "quetzalcore-hv"})
    assert [what for what in whats(facts) if what.startswith("end")] == [
        "end quetzalcore-gateway@8009"
    ]


def test_releases_beyond_the_newest_go_unless_something_runs_them() -> None:
    facts = done(WISH)
    old = ("0.9-a", "0.8-b", "0.7-c", "0.6-d")
    facts = replace(
        facts,
        releases=(WISH.package.release, *old),
        marks={**facts.marks, "quetzalcore-hv": "0.6-d abc"},
    )
    assert whats(facts) == ["remove 0.7-c"]


def test_what_an_interrupted_run_left_is_cleared_and_all_of_it_can_be_taken_back() -> None:
    facts = replace(done(WISH), interrupted=True)
    assert whats(facts) == ["forget what was kept"]
    first, *_ = NAMES
    late = replace(facts, marks={name: mark for name, mark in facts.marks.items() if name != first})
    undo = [step for step in plan_host(late, WISH).undo if "as it was" in step.what]
    assert {step.command[-1] for step in undo} == {""}  # no mark can be trusted
    assert [step.what for step in undo] == [
        f"have {name} as it was" for name in NAMES if name != "quetzalcore-gateway.target"
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"system": "Darwin"}, "web1: it runs Darwin"),
        ({"python": ()}, "there is no python3"),
        ({"python": (3, 10, 1)}, r"python3 is 3\.10\.1"),
        ({"programs": BARE.programs - {"venv"}}, "cannot make environments"),
        ({"programs": BARE.programs - {"flock"}}, "flock is missing"),
        ({"programs": BARE.programs - {"apt-get"}}, "nginx is missing"),
        ({"foreign": "/opt/quetzalcore/bin"}, "was not made by a deployment"),
        ({"system_nginx": True}, r"nginx\.service already runs there"),
    ],
)
def test_a_host_that_cannot_take_it_is_refused_with_the_reason(change, said) -> None:
    with pytest.raises(HostUnfit, match=said):
        plan_host(replace(BARE, **change), WISH)


def test_a_worker_needs_neither_nginx_nor_a_user() -> None:
    wish = replace(
        WISH, role="workers", services=worker_services(read_units(), Layout(), settle_s=5.0)
    )
    said = whats(BARE, wish)
    assert not any("nginx" in what or "user" in what for what in said)
    assert "wait until quetzalcore-hv is well (it runs and stays)" in said


def test_the_same_package_has_the_same_name_and_any_difference_another() -> None:
    others = [
        replace(PACKAGE, wheel=b"other"), replace(PACKAGE, constraints=b"numpy==2.0"),
        replace(PACKAGE, wheelhouse="/w"), replace(PACKAGE, packages="/p"),
        replace(PACKAGE, python="python3.12"),
    ]  # fmt: skip
    names = {PACKAGE.release, *(other.release for other in others)}
    assert len(names) == 1 + len(others)
    assert replace(PACKAGE).release == PACKAGE.release


def test_a_look_is_read_line_by_line_and_what_is_strange_is_passed_over() -> None:
    facts = read_facts(
        "web1",
        b"system Linux\npython 3.12.1\nprogram flock\nprogram venv\nsystemd 1\n"
        b"current 1.0-abc\nrelease 1.0-abc\nrelease ../../etc\nrelease -rf\n"
        b"file 0123:600 /etc/quetzalcore/quetzal.env\nmark quetzalcore-hv 1.0-abc 99\n"
        b"active quetzalcore-hv\nfnord\n\xff\xfe what\n",
    )
    assert facts == Facts(
        host="web1",
        system="Linux",
        python=(3, 12, 1),
        programs=frozenset({"flock", "venv"}),
        systemd=True,
        current="1.0-abc",
        releases=("1.0-abc",),
        files={"/etc/quetzalcore/quetzal.env": "0123:600"},
        active=frozenset({"quetzalcore-hv"}),
        marks={"quetzalcore-hv": "1.0-abc 99"},
    )


def test_a_look_asks_for_the_files_of_both_ways_to_run_services() -> None:
    paths = paths_of(WISH)
    assert "/etc/systemd/system/quetzalcore-gateway@.service" in paths
    assert "/opt/quetzalcore/services/quetzalcore-gateway@8001" in paths
    assert "/etc/quetzalcore/quetzal.env" in paths
