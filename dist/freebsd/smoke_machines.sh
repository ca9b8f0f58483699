# shellcheck shell=sh disable=SC2034  # smoke.sh uses the variables.
#
# The machines of smoke.sh, which reads this file: how they are made, asked and taken away.

passed=0
failed=0
finished=no
jail_prefix="bridgewall_smoke_$$_"
jails=
cables=
host=203.0.113.1
outside=203.0.113.9
spoofed=10.99.0.1

require_freebsd() {
  [ "$(uname -s)" = FreeBSD ] || refuse 'this is not FreeBSD'
  [ "$(id -u)" -eq 0 ] || refuse 'only root may make jails'
  [ "$(sysctl -i -n kern.features.vimage)" = 1 ] || refuse 'the kernel has no VIMAGE'
  for module in pf if_bridge if_epair; do
    kldstat -q -m "$module" || kldload "$module" || refuse "there is no module $module"
  done
}

# An absolute path: commands in a jail begin in its root directory.
find_bridgewall() {
  found=$(command -v "${BRIDGEWALL:-bridgewall}") || refuse 'there is no bridgewall: set BRIDGEWALL'
  case $found in
    /*) echo "$found" ;;
    *) echo "$PWD/$found" ;;
  esac
}

refuse() {
  printf 'Bail out! %s\n' "$1" >&2
  exit 2
}

make_work_directory() {
  work=$(mktemp -d /tmp/bridgewall-smoke.XXXXXX)
  trap take_away EXIT
  mkdir -m 700 "$work/state"
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 141' PIPE
  trap 'exit 143' TERM
}

# Interfaces first: a jail whose connections have not timed out yet dies slowly, and would keep them.
take_away() {
  status=$?
  trap - EXIT
  set +e
  [ "$finished" = yes ] || echo 'Bail out! The test did not come to its end.' >&2
  for bridge in virbr0 virbr1 virbr2 virbr3; do
    on host ifconfig "$bridge" destroy
  done 2> /dev/null
  for end in $cables; do
    ifconfig "$end" -vnet "${jail_prefix}host"
    ifconfig "$end" destroy
  done 2> /dev/null
  for jail in $jails; do jail -r "$jail"; done > /dev/null 2>&1
  rm -rf "$work"
  exit "$status"
}

make_machines() {
  echo 'echo stream tcp nowait root internal' > "$work/inetd.conf"
  echo 'echo dgram udp wait root internal' >> "$work/inetd.conf"
  for place in host outside guest1 guest2 natguest routed isolated; do make_place "$place"; done

  connect outside "$outside" "$host"
  uplink=$near
  on host ifconfig "$uplink" inet "$host/24"
  on host route add default "$outside" > /dev/null

  make_bridge virbr0 192.168.122.1
  make_bridge virbr1 10.0.100.1
  make_bridge virbr2 10.0.110.1
  make_bridge virbr3 10.0.120.1
  connect guest1 192.168.122.10 192.168.122.1 virbr0
  on guest1 ifconfig lo0 inet "$spoofed/32" alias
  connect guest2 192.168.122.11 192.168.122.1 virbr0
  guest2_end=$far
  connect natguest 10.0.100.10 10.0.100.1 virbr1
  connect routed 10.0.110.10 10.0.110.1 virbr2
  connect isolated 10.0.120.10 10.0.120.1 virbr3

  on host pfctl -q -e
}

# on PLACE COMMAND...
on() {
  jail=$jail_prefix$1
  shift
  jexec "$jail" "$@"
}

# A jail with the files of this machine, /dev/pf and /dev/bpf among them, but nothing of its network.
# inetd says back whatever it is told.
make_place() {
  jail=$jail_prefix$1
  jails="$jails $jail"
  jail -c name="$jail" path=/ vnet persist allow.raw_sockets > /dev/null
  on "$1" ifconfig lo0 inet 127.0.0.1/8 up
  on "$1" /usr/sbin/inetd -p "$work/$1.pid" "$work/inetd.conf"
}

make_bridge() {
  on host ifconfig bridge create name "$1" > /dev/null
  on host ifconfig "$1" inet "$2/24" up
}

# connect PLACE ADDRESS GATEWAY [BRIDGE]: a cable from the host; its ends are then `near` and `far`.
#
# Newer epairs leave checksums to the other end. A guest in a virtual machine sends whole ones, and
# rules are tested here, not drivers. Older epairs know no such setting, and say so.
connect() {
  near=$(ifconfig epair create)
  far=${near%a}b
  cables="$cables $near"
  for end in "$near" "$far"; do
    ifconfig "$end" -txcsum 2> /dev/null || true
  done
  ifconfig "$near" vnet "${jail_prefix}host"
  ifconfig "$far" vnet "$jail_prefix$1"
  [ $# -lt 4 ] || on host ifconfig "$4" addm "$near"
  on host ifconfig "$near" up
  on "$1" ifconfig "$far" inet "$2/24" up
  on "$1" route add default "$3" > /dev/null
  watch_packets "$1" "$far"
}

# What goes over the cable is written into a file, a packet a line.
watch_packets() {
  on "$1" tcpdump -t -n -l --immediate-mode -i "$2" ip > "$work/$1.packets" 2> "$work/$1.tcpdump" &
  eventually grep -q -s 'listening on' "$work/$1.tcpdump" || fail "$(cat "$work/$1.tcpdump")"
}

packets_at() {
  echo $(($(wc -l < "$work/$1.packets")))
}

packets_since() {
  tail -n "+$(($2 + 1))" "$work/$1.packets"
}

# saw PLACE PACKETS-BEFORE PATTERN. A dot in an address matches any character: no two are that alike.
saw() {
  packets_since "$1" "$2" | grep -E -q "$3"
}

# listen PLACE PORT FILE: what comes to the UDP port goes into the file. With -k nc does not connect to
# the sender, who may have no address yet.
listen() {
  jexec "$jail_prefix$1" timeout 20 nc -n -k -l -u "$2" < /dev/null > "$3" 2>&1 &
  listener=$!
  sleep 1
}

# A connection from guest1 to the outside, for as long as descriptor 3 is open: what is written there
# comes back into the file `heard`.
open_connection() {
  rm -f "$work/typed"
  mkfifo "$work/typed"
  on guest1 nc -n -N "$outside" 7 < "$work/typed" > "$work/heard" 2>&1 &
  exec 3> "$work/typed"
}

filter_bridges() {
  on host sysctl net.link.bridge.pfil_member="$1" net.link.bridge.pfil_bridge="$2" > /dev/null
}

# load_main_ruleset WHAT LINE...
load_main_ruleset() {
  printf '# main ruleset: %s\n' "$1"
  shift
  printf '%s\n' "$@" | on host pfctl -q -f -
  on host pfctl -q -F states
}

# The names of all anchors below ours, however many a network has.
anchors() {
  on host pfctl -a bridgewall -s Anchors 2> /dev/null || true
}

# contents ANCHORS
contents() {
  for anchor in $1; do
    for part in nat rules Tables; do
      on host pfctl -a "$anchor" -s "$part" 2> /dev/null || true
    done
  done
}

states_of_guests() {
  on host pfctl -s states 2> /dev/null | grep -E '(192\.168\.122|10\.0\.1[012]0)\.' || true
}

snapshot() {
  on host sysctl -i net.inet.ip.forwarding net.inet6.ip6.forwarding
  on host pfctl -s nat 2> /dev/null
  on host pfctl -s rules 2> /dev/null
  contents "$(anchors)"
  ls "$work/state"
}

write_networks() {
  write_network default virbr0 192.168.122 "<forward mode='nat'/>"
  write_network natnet virbr1 10.0.100 "<forward mode='nat' dev='$uplink'/>"
  write_network routed virbr2 10.0.110 "<forward mode='route'/>"
  write_network isolated virbr3 10.0.120 ''
  write_network ipv6 virbr4 10.0.130 "<forward mode='nat'/>" \
    "<ip family='ipv6' address='fd00:130::1' prefix='64'/>"
}

# write_network NAME BRIDGE SUBNET FORWARD [MORE]
write_network() {
  cat > "$work/$1.xml" << XML
<network>
  <name>$1</name>
  $4
  <bridge name='$2'/>
  <ip address='$3.1' netmask='255.255.255.0'>
    <dhcp>
      <range start='$3.100' end='$3.199'/>
    </dhcp>
  </ip>
  ${5:-}
</network>
XML
}
