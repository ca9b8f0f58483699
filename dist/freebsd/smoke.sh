#!/bin/sh
#
# Do the rules of bridgewall hold on a real FreeBSD, with real packets?
#
# A host, its guests and the outside are jails, each with a network stack of its own, and pf runs in
# the jail of the host: neither the network nor the pf of this machine is touched. All of it is gone
# at the end, but for kernel modules that had to be loaded. `smoke_machines.sh` makes it:
#
#     guest1   192.168.122.10 ┐ virbr0  default,  nat
#     guest2   192.168.122.11 ┘
#     natguest    10.0.100.10 ─ virbr1  natnet,   nat through the uplink, by name
#     routed      10.0.110.10 ─ virbr2  routed,   route
#     isolated    10.0.120.10 ─ virbr3  isolated
#                               host  203.0.113.1 ── 203.0.113.9  outside
#
# Needs: root, FreeBSD 13.1 or newer with VIMAGE (GENERIC has it) and the modules pf, if_bridge and
# if_epair, the programs of the base system, and bridgewall in PATH or named by BRIDGEWALL. Takes
# some minutes.
#
# Run: sh smoke.sh
# or:  BRIDGEWALL=/root/bridgewall sh smoke.sh
#
# Prints a line for each claim, `ok - …`, or `not ok - …` and what was seen, and at last how many
# there were of each. Exit status 0 when all hold, else another; `Bail out!` on standard error when
# it did not come to its end.

# shellcheck disable=SC2034,SC2154  # smoke_machines.sh shares the variables.

set -eu

# shellcheck source=smoke_machines.sh disable=SC1091
. "$(dirname "$0")/smoke_machines.sh"

main() {
  require_freebsd
  bridgewall=$(find_bridgewall)
  make_work_directory
  make_machines
  write_networks

  load_main_ruleset 'no anchor of ours' ''
  claim 'up without the anchors in the main ruleset warns' warns_of_missing_anchors
  claim 'down takes it back' ends_with 0 program down --all

  # pf takes the last rule that matches, unless one is quick: ours must hold whatever stands around.
  run_round 'our anchors alone' '' ''
  run_round 'pass all behind our anchors' '' 'pass all'
  run_round 'block all before our anchors' 'block all' ''

  finished=yes
  printf '%s passed, %s failed\n' "$passed" "$failed"
  [ "$failed" -eq 0 ]
}

# run_round WHAT BEFORE BEHIND: all claims, with these rules around our anchor in the main ruleset.
run_round() {
  load_main_ruleset "$1" 'nat-anchor "bridgewall/*"' 'rdr-anchor "bridgewall/*"' \
    "$2" 'anchor "bridgewall/*"' "$3"
  outside_before=$(packets_at outside)
  claim 'up installs four networks' networks_come_up
  check_rules
  check_neighbours
  check_host
  check_outside
  check_refused
  check_dhcp
  check_refresh
  check_repair
  check_unsupported
  claim 'the outside never saw an address of a translated or isolated guest' nothing_leaked
  check_down
}

check_rules() {
  claim 'default is translated in the form that users of libvirt know' \
    translates default 192.168.122.0/24
  claim 'natnet is translated on the interface that it names' translates natnet 10.0.100.0/24
  claim 'the host forwards' forwards
  claim 'check finds nothing wrong' ends_with 0 program check
}

# Whether pf sees what the members of a bridge exchange is a setting of the machine, whose default
# differs between versions (if_bridge(4)): it must not matter. States are dropped so that nothing
# passes by what was let through before.
check_neighbours() {
  members=$(on host sysctl -n net.link.bridge.pfil_member)
  bridges=$(on host sysctl -n net.link.bridge.pfil_bridge)
  for filtered in 0 1; do
    filter_bridges "$filtered" "$filtered"
    on host pfctl -q -F states
    settings="pfil_member and pfil_bridge are $filtered"
    claim "guest1 reaches guest2, $settings" arrives guest1 192.168.122.10 guest2 192.168.122.11
    claim "guest2 reaches guest1, $settings" arrives guest2 192.168.122.11 guest1 192.168.122.10
    claim "guest2 sees multicast of guest1, $settings" multicast_arrives
    claim "guest2 sees broadcast of guest1, $settings" broadcast_arrives
  done
  filter_bridges "$members" "$bridges"
}

# Shows too that what arrives at a guest is noticed there, as anything refused below would be.
check_host() {
  claim 'the host reaches guest1' arrives host 192.168.122.1 guest1 192.168.122.10
  claim 'the host reaches natguest' arrives host 10.0.100.1 natguest 10.0.100.10
  claim 'the host reaches routed' arrives host 10.0.110.1 routed 10.0.110.10
  claim 'the host reaches isolated' arrives host 10.0.120.1 isolated 10.0.120.10
  claim 'guest1 reaches the host' answers guest1 192.168.122.1
  claim 'isolated reaches the host at its address there' answers isolated 10.0.120.1
}

check_outside() {
  for guest in guest1 guest2 natguest; do
    claim "$guest reaches the outside as the host" arrives "$guest" "$host" outside "$outside"
  done
  claim 'routed reaches the outside as itself' arrives routed 10.0.110.10 outside "$outside"
  claim 'the outside reaches routed' arrives outside "$outside" routed 10.0.110.10
}

check_refused() {
  claim 'the outside does not reach guest1' refused outside guest1 192.168.122.10
  claim 'the outside does not reach natguest' refused outside natguest 10.0.100.10
  claim 'a source address that is not of the network does not leave it' \
    refused guest1 outside "$outside" "$spoofed"
  claim 'default does not reach natnet' refused guest1 natguest 10.0.100.10
  claim 'natnet does not reach default' refused natguest guest1 192.168.122.10
  claim 'routed does not reach default' refused routed guest1 192.168.122.10
  claim 'isolated does not reach the outside' refused isolated outside "$outside"
  claim 'isolated does not reach default' refused isolated guest1 192.168.122.10
  claim 'isolated does not reach routed' refused isolated routed 10.0.110.10
  claim 'the outside does not reach isolated' refused outside isolated 10.0.120.10
  claim 'default does not reach isolated' refused guest1 isolated 10.0.120.10
  claim 'who is refused is told at once' told isolated "$outside"
}

check_dhcp() {
  claim 'a DHCPDISCOVER from 0.0.0.0 gets to the host' discover_arrives
  claim 'an answer gets to the guest' offer_arrives
}

check_refresh() {
  open_connection
  claim 'a connection of guest1 to the outside is open' comes_back first
  claim 'up again is done' networks_come_up
  claim 'the connection goes on after up' comes_back second
  claim 'reload is done' ends_with 0 program reload
  claim 'the connection goes on after reload' comes_back third
  exec 3>&-
}

check_repair() {
  on host pfctl -q -a bridgewall/default -F rules 2> /dev/null || true
  claim 'check sees that rules are gone' ends_with 3 program check
  claim 'reload puts them back' ends_with 0 program reload
  claim 'check finds nothing wrong then' ends_with 0 program check
  claim 'guest1 reaches the outside again' arrives guest1 "$host" outside "$outside"
}

check_unsupported() {
  snapshot > "$work/before"
  claim 'a network with an IPv6 address is refused' ends_with 4 program up "$work/ipv6.xml"
  snapshot > "$work/after"
  claim 'nothing has changed by that' diff "$work/before" "$work/after"
}

check_down() {
  standing=$(anchors)
  claim 'there are anchors' something "$standing"
  claim 'there are states of guests' something "$(states_of_guests)"
  claim 'down is done' ends_with 0 program down --all
  claim 'no anchor is left' nothing "$(anchors)"
  claim 'no rule and no table is left' nothing "$(contents "$standing")"
  claim 'no state of a guest is left' nothing "$(states_of_guests)"
}

# --- How it is found out ----------------------------------------------------------------------------
# What follows prints what it saw and fails, where it does not hold.

# program COMMAND [ARGUMENT...]
program() {
  command=$1
  shift
  on host "$bridgewall" "$command" --state-dir "$work/state" "$@"
}

networks_come_up() {
  ends_with 0 program up \
    "$work/default.xml" "$work/natnet.xml" "$work/routed.xml" "$work/isolated.xml"
}

warns_of_missing_anchors() {
  seen=$(program up "$work/default.xml" 2>&1 > "$work/data") || fail "up failed: $seen" || return
  case $seen in
    *warning*anchor*) ;;
    *) fail "on standard error: $seen" ;;
  esac
}

# ends_with STATUS COMMAND...
ends_with() {
  wanted=$1
  shift
  status=0
  seen=$("$@" 2>&1) || status=$?
  [ "$status" -eq "$wanted" ] || fail "status $status, wanted $wanted: $seen"
}

# translates NETWORK SUBNET. For an interface in parentheses pf adds how it would choose an address.
translates() {
  rule="nat pass on $uplink inet from $2 to <natdst> -> \\($uplink\\) port 1024:65535"
  seen=$(on host pfctl -a "bridgewall/$1" -s nat 2>&1) || true
  printf '%s\n' "$seen" | grep -E -q "^$rule( round-robin)?\$" || fail "rules: $seen"
}

forwards() {
  seen=$(on host sysctl -n net.inet.ip.forwarding) || true
  [ "$seen" = 1 ] || fail "net.inet.ip.forwarding is $seen"
}

# answers FROM ADDRESS: a ping, TCP and UDP come back.
answers() {
  seen=$(on "$1" ping -n -c 1 -t 3 "$2" 2>&1) || fail "ping: $seen" || return
  seen=$(echo hello | on "$1" nc -n -N -w 3 "$2" 7 2>&1) || true
  [ "$seen" = hello ] || fail "TCP: wanted hello, got '$seen'" || return
  seen=$(echo hello | on "$1" nc -n -u -w 1 "$2" 7 2>&1) || true
  [ "$seen" = hello ] || fail "UDP: wanted hello, got '$seen'"
}

# arrives FROM SOURCE TO ADDRESS: the same, and TO saw each come from the address SOURCE.
arrives() {
  before=$(packets_at "$3")
  answers "$1" "$4" || return
  eventually saw "$3" "$before" "^IP $2 > $4: ICMP echo request" &&
    eventually saw "$3" "$before" "^IP $2\\.[0-9]+ > $4\\.7: Flags \\[S[EW]*\\]" &&
    eventually saw "$3" "$before" "^IP $2\\.[0-9]+ > $4\\.7: UDP" && return
  fail "wanted from $2, $3 saw:" "$(packets_since "$3" "$before")"
}

# refused FROM TO ADDRESS [SOURCE]: TO saw nothing of it, from whatever address. That nothing comes
# back would not be enough: the answer alone may have been stopped.
refused() {
  before=$(packets_at "$2")
  on "$1" ping -n -c 1 -t 1 ${4:+-S "$4"} "$3" > /dev/null 2>&1 || true
  on "$1" nc -n -z -w 1 ${4:+-s "$4"} "$3" 7 > /dev/null 2>&1 || true
  echo hello | on "$1" nc -n -u -w 1 ${4:+-s "$4"} "$3" 7 > /dev/null 2>&1 || true
  saw "$2" "$before" "> $3(: ICMP echo request|\\.7: )" || return 0
  fail "$2 saw:" "$(packets_since "$2" "$before")"
}

# told FROM ADDRESS: an answer that refuses, not silence until the time is over.
told() {
  seen=$(on "$1" nc -n -v -z -w 5 "$2" 7 2>&1) || true
  case $seen in
    *refused*) ;;
    *) fail "$seen" ;;
  esac
}

multicast_arrives() {
  before=$(packets_at guest2)
  echo hello | on guest1 nc -n -u -w 1 224.0.0.1 9999 || true
  eventually saw guest2 "$before" '^IP 192.168.122.10\.[0-9]+ > 224.0.0.1\.9999: UDP' ||
    fail 'guest2 saw:' "$(packets_since guest2 "$before")"
}

# Nobody answers it: net.inet.icmp.bmcastecho is 0.
broadcast_arrives() {
  before=$(packets_at guest2)
  on guest1 ping -n -c 1 -t 1 192.168.122.255 > /dev/null 2>&1 || true
  eventually saw guest2 "$before" '^IP 192.168.122.10 > 192.168.122.255: ICMP echo request' ||
    fail 'guest2 saw:' "$(packets_since guest2 "$before")"
}

# A socket shows what tcpdump on the host would not: that pf let it in. dhclient is kept from
# configuring the interface by another script than its own.
discover_arrives() {
  printf 'script "/usr/bin/true";\ninitial-interval 1;\n' > "$work/dhclient.conf"
  listen host 67 "$work/discover"
  jexec "${jail_prefix}guest2" timeout 20 dhclient -d -c "$work/dhclient.conf" \
    -l "$work/leases" -p "$work/dhclient.pid" "$guest2_end" > "$work/dhclient.log" 2>&1 &
  client=$!
  seen=
  eventually test -s "$work/discover" || seen='nothing at port 67; the client said:'
  kill "$client" "$listener" 2> /dev/null || true
  [ -z "$seen" ] || fail "$seen" "$(cat "$work/dhclient.log")"
}

offer_arrives() {
  listen guest2 68 "$work/offer"
  echo offer | on host nc -n -u -p 67 -w 1 192.168.122.11 68 > "$work/offered" 2>&1 || true
  seen=
  eventually grep -q offer "$work/offer" || seen='nothing at port 68; the sender said:'
  kill "$listener" 2> /dev/null || true
  [ -z "$seen" ] || fail "$seen" "$(cat "$work/offered")"
}

# comes_back LINE: what is written into the open connection. The inner shell takes the signal when
# nobody reads any more.
comes_back() {
  (echo "$1" >&3) || fail 'the connection has ended' || return
  eventually grep -q "^$1\$" "$work/heard" || fail "heard: $(cat "$work/heard")"
}

# A refusal that pf sends for a guest bears the guest's address, so only beginnings are looked for.
nothing_leaked() {
  guests='(192\.168\.122|10\.0\.100|10\.0\.120)\.[0-9.]+'
  leak="^IP $guests > [0-9.]+: (ICMP echo request|Flags \\[S[EW]*\\]|UDP)"
  nothing "$(packets_since outside "$outside_before" | grep -E "$leak")"
}

nothing() {
  [ -z "$1" ] || fail "$1"
}

something() {
  [ -n "$1" ] || fail 'nothing'
}

# claim WHAT COMMAND...
claim() {
  what=$1
  shift
  if seen=$("$@" 2>&1); then
    passed=$((passed + 1))
    printf 'ok - %s\n' "$what"
  else
    failed=$((failed + 1))
    printf 'not ok - %s\n' "$what"
    printf '%s\n' "$seen" | sed 's/^/#   /'
  fi
}

fail() {
  printf '%s\n' "$@"
  return 1
}

# For at most 8 seconds.
eventually() {
  attempts=20
  until "$@"; do
    attempts=$((attempts - 1))
    [ "$attempts" -gt 0 ] || return 1
    sleep 0.4
  done
}

main
