"""Names of the system are nobody's: the list, and slapd's copy of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ceo_common.model.names import username_problem
from ceod.operations import reserved_names

ROOT = Path(__file__).resolve().parents[2]

# What Debian and its packages, Kerberos, sudo and mail call things, section by section; not taken from ceod's own list.
SYSTEM = """
root daemon bin sys sync games man lp mail news uucp proxy www-data backup list irc gnats nobody
adm tty disk kmem dialout fax voice cdrom floppy tape sudo audio dip operator src shadow utmp video sasl plugdev staff users nogroup
input kvm render sgx netdev bluetooth crontab i2c gpio spi lirc scanner fuse
systemd-network systemd-resolve systemd-timesync systemd-coredump systemd-oom systemd-journal systemd-journal-remote systemd-bus-proxy
messagebus polkitd rtkit uuidd tss avahi avahi-autoipd usbmux colord geoclue saned pulse pulse-access lpadmin cups-pk-helper hplip
speech-dispatcher whoopsie kernoops landscape pollinate fwupd-refresh gdm lightdm sddm
docker podman containerd lxd lxc incus incus-admin libvirt libvirt-qemu libvirt-dnsmasq libvirtdbus qemu vboxusers wireshark tcpdump
postgres postgresql mysql mariadb mongodb redis memcache couchdb influxdb rabbitmq epmd zookeeper kafka elasticsearch kibana grafana
prometheus prometheus-node zabbix munin nagios icinga snmp apache nginx haproxy varnish squid tomcat tomcat10 jetty
bind named unbound nsd pdns knot tor debian-tor openvpn strongswan wireguard dnsmasq dhcpd chrony ntp ntpsec statd rpc rpcbind
postfix postdrop exim debian-exim sendmail courier dovecot dovenull cyrus opendkim opendmarc spamd debian-spamd clamav amavis postgrey
mailman majordomo ftp proftpd vsftpd tftp rsync sambashare winbindd_priv sshd ssh ssl-cert stunnel4 openldap slapd ldap nslcd sssd freerad
git gitolite gitolite3 svn jenkins gitlab-runner puppet ansible vault consul etcd ceph slurm munge bacula fail2ban logcheck snort ossec
cron anacron atd locate mlocate plocate syslog rsyslog audit sbuild buildd mosquitto asterisk ircd prosody ejabberd matrix-synapse
krbtgt kadmin kadmind kiprop kprop kpasswd changepw krb5 kerberos kdc host http nfs cifs imap smtp k m
wheel admin admins administrator sysadmin superuser toor su sudoers all defaults everyone guest anonymous public localhost
abuse noc security postmaster hostmaster usenet webmaster www info marketing sales support mailer-daemon noreply help
list-owner csc-general-request syscom-bounces exec-admin x-join x-leave x-confirm x-subscribe x-unsubscribe
ceo ceod ceo-overlays library
""".split()


@pytest.mark.parametrize("name", SYSTEM)
def test_names_of_the_system(name: str) -> None:
    assert username_problem(name) is None, "it would be refused anyway"
    assert reserved_names.is_reserved(name)


@pytest.mark.parametrize(
    "name",
    ["jdoe", "rooted", "sudoku", "m007", "kk", "go-club", "listen", "owner-x", "office", "syscom"],
)
def test_names_of_people_and_clubs(name: str) -> None:
    """Parts of reserved names are not reserved; the club's own groups are refused because they are there."""
    assert not reserved_names.is_reserved(name)


def test_a_name_is_compared_to_its_end() -> None:
    assert not reserved_names.is_reserved("root\n") and not reserved_names.is_reserved("rootx")


def test_each_name_is_one_that_an_account_could_have() -> None:
    """Else slapd's pattern would mean something else: what is in a name there is itself, and * alone stands for others."""
    names = [name for section in reserved_names.sections() for name in section]
    assert len(names) == len(set(names)) > 400
    assert not [name for name in names if not re.fullmatch(r"(\*-)?[a-z][a-z0-9_-]*\*?", name)]


def test_slapd_is_told_of_these_names() -> None:
    rules = (ROOT / "etc/slapd-acl.conf").read_text()
    assert reserved_names.written_into(rules) == rules, (
        "python -m ceod.operations.reserved_names etc/slapd-acl.conf"
    )
    assert rules.count(" negregex ") == 2 * len(reserved_names.sections())


def test_the_rules_keep_what_stands_around_the_names() -> None:
    rules = (ROOT / "etc/slapd-acl.conf").read_text()
    without = re.sub(r"^constraint_attribute \w+ negregex .*\n", "", rules, flags=re.MULTILINE)
    assert without != rules
    assert reserved_names.written_into(without) == rules
    with pytest.raises(ValueError, match="Reserved names"):
        reserved_names.written_into(rules.replace("# Reserved names: ", "# "))
