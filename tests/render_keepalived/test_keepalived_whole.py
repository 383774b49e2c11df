"""A keepalived.conf with all that the model knows: keepalived takes it, and so does what we make of
it; the same bytes every time."""

from __future__ import annotations

import oracle
from keepalived_case import difference, model_of, rendered

from tools import need, need_root

WHOLE = """\
global_defs {
    router_id lb1
    notification_email {
        ops@example.org
    }
    notification_email_from lb1@example.org
    smtp_server 192.0.2.25 25
    smtp_connect_timeout 30
    enable_script_security
    script_user root root
    vrrp_version 2
    lvs_flush
    lvs_sync_daemon eth1 inst web id 7 maxlen 1400 port 8848 ttl 1 group 224.0.0.81
    lvs_timeouts tcp 900 tcpfin 120 udp 300
    vrrp_garp_master_repeat 2
}
static_ipaddress {
    192.0.2.200/24 dev eth0 label eth0:9
}
vrrp_track_process nginx {
    process nginx
    weight 10
}
vrrp_script chk_web {
    script "/usr/local/bin/check-web -p 80"
    interval 2
    timeout 3
    weight -20
    rise 2
    fall 3
    user root root
}
vrrp_instance web {
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority 150
    advert_int 1
    down_timer_adverts 3
    nopreempt
    garp_master_delay 2
    garp_master_refresh 60
    unicast_src_ip 192.0.2.11
    unicast_peer {
        192.0.2.12
    }
    authentication {
        auth_type PASS
        auth_pass "pa#ss{}"
    }
    virtual_ipaddress {
        192.0.2.100/24 dev eth0 label eth0:1
        192.0.2.101/24 brd 192.0.2.255 scope global
    }
    virtual_ipaddress_excluded {
        2001:db8::100/64
    }
    track_interface {
        eth1 weight -10
    }
    track_script {
        chk_web
    }
    track_process {
        nginx
    }
    smtp_alert off
    notify_master "/usr/local/bin/state master" root root
    notify_backup "/usr/local/bin/state backup"
    notify "/usr/local/bin/state any"
    garp_master_repeat 3
}
vrrp_instance web6 {
    state MASTER
    interface eth0
    virtual_router_id 52
    priority 90
    version 3
    advert_int 0.5
    preempt_delay 0
    virtual_ipaddress {
        fe80::100 dev eth0
        2001:db8::101/64
    }
}
vrrp_sync_group both {
    group {
        web
        web6
    }
    notify_fault "/usr/local/bin/state fault"
    smtp_alert off
    sync_group_tracking_weight
}
virtual_server_group site {
    192.0.2.100 80
    192.0.2.100-110 443
    fwmark 9
}
virtual_server 192.0.2.100 80 {
    delay_loop 6
    connect_timeout 3
    retry 2
    delay_before_retry 1.5
    warmup 0
    lb_algo wlc
    lb_kind DR
    protocol TCP
    persistence_timeout 300
    persistence_granularity 255.255.255.0
    alpha
    omega
    quorum 1
    hysteresis 0
    inhibit_on_failure
    virtualhost www.example.org
    weight 2
    quorum_up "/usr/local/bin/quorum up"
    quorum_down "/usr/local/bin/quorum down" root
    sorry_server 192.0.2.90 80
    sorry_server_inhibit
    sorry_server_lvs_method TUN
    real_server 192.0.2.21 80 {
        weight 3
        lvs_method TUN type gue port 6080
        uthreshold 100
        lthreshold 10
        inhibit_on_failure off
        alpha on
        delay_loop 9
        retry 1
        virtualhost one.example.org
        notify_up "/usr/local/bin/rs up"
        notify_down "/usr/local/bin/rs down"
        HTTP_GET {
            http_protocol 1.1
            virtualhost two.example.org
            url {
                path "/a b"
                digest 9b3a0c85a887a256d6939da88aabd8cd
                status_code 200-299 301 404
                virtualhost three.example.org
                regex "ok [a-z]+"
            }
            connect_ip 192.0.2.31
            connect_port 8080
            bindto 192.0.2.11
            bind_port 1025
            bind_if eth0
            fwmark 3
            connect_timeout 2.5
            retry 4
            delay_before_retry 2
            delay_loop 8
            warmup 1
            alpha off
        }
        SSL_GET {
            url {
                path /
            }
        }
    }
    real_server 192.0.2.22 80 {
        TCP_CHECK {
            connect_timeout 3
        }
        SMTP_CHECK {
            helo_name lb1.example.org
        }
        DNS_CHECK {
            type A
            name example.org
        }
        PING_CHECK {
        }
        MISC_CHECK {
            misc_path "/usr/local/bin/check-rs 192.0.2.22"
            misc_timeout 5
            misc_dynamic
            user root root
        }
    }
}
virtual_server fwmark 9 {
    lb_algo sh
    sh-port
    lb_kind NAT
    ops
    real_server 192.0.2.23 53 {
        UDP_CHECK {
            payload abcd
            require_reply
        }
    }
}
virtual_server group site {
    lb_algo mh
    mh-port
    lb_kind TUN
    protocol UDP
    ip_family inet
    persistence_engine sip
    real_server 192.0.2.24 {
        TCP_CHECK {
        }
    }
}
virtual_server 2001:db8::100 443 {
    lb_algo rr
    lb_kind DR
    protocol TCP
    persistence_timeout 60
    persistence_granularity 64
    ha_suspend
    real_server 2001:db8::21 443 {
        TCP_CHECK {
        }
    }
}
"""


def test_keepalived_takes_all_that_the_model_knows_without_a_word() -> None:
    need_root()
    program = need("keepalived", "keepalived")
    assert oracle.verdict(rendered(model_of(WHOLE)), program=program) == oracle.Verdict(0, ())


def test_keepalived_file_of_all_that_the_model_knows_reads_back_and_has_every_line() -> None:
    model = model_of(WHOLE)
    text = rendered(model)
    assert difference(model, model_of(text)) == ""
    wanted = sorted(line.strip() for line in WHOLE.splitlines() if line.strip())
    made = sorted(
        line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")
    )
    assert made == [
        {"192.0.2.100-110 443": "192.0.2.100-192.0.2.110 443"}.get(line, line) for line in wanted
    ]


def test_keepalived_file_is_the_same_on_every_run() -> None:
    assert rendered(model_of(WHOLE)) == rendered(model_of(WHOLE))
