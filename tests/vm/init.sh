#!/bin/sh
#
# The first process of the machine that `deno task smoke` boots: do the rules of bridgewall hold in a
# kernel of its own, with everything that Debian's kernel loads by itself?
#
#     guest1    192.168.122.10 ┐ virbr0  default,  nat; TCP port 8080 leads to guest1
#     guest2    192.168.122.11 ┘
#     isolated   10.0.120.10 ─── virbr1  isolated
#                                host  203.0.113.1 ── 203.0.113.9  outside
#
# Prints a line for each claim, `ok - …`, or `not ok - …` and what was seen, and at last how many
# there were of each. A command that fails outside of a claim ends this script, and so the kernel.

set -eu
export PATH=/usr/sbin:/usr/bin HOME=/root
passed=0
failed=0
outside=203.0.113.9

main() {
  mount_all
  echo # Firmware leaves a line without an end.
  echo "# Linux $(uname -r), $(nft --version)"
  make_machines
  write_networks
  check_machines
  nft 'add table inet foreign; add chain inet foreign input { type filter hook input priority 50; }'
  nft 'add rule inet foreign input ip saddr 198.51.100.1 drop'
  run_round nftables
  nft delete table inet foreign
  iptables -A INPUT -s 198.51.100.1 -j DROP
  run_round iptables
  printf '%s passed, %s failed\n' "$passed" "$failed"
}

mount_all() {
  mount -t proc proc /proc
  mount -t sysfs sys /sys
  mount -t devtmpfs dev /dev 2> /dev/null || true # Some kernels have done it.
  mount -t tmpfs run /run
  mount -t tmpfs tmp /tmp
}

# --- The machines -----------------------------------------------------------------------------------

make_machines() {
  modprobe br_netfilter # What members of a bridge exchange goes through iptables then, as with Docker.
  ip link set lo up
  for bridge in virbr0 virbr1; do ip link add "$bridge" type bridge; done
  ip addr add 192.168.122.1/24 dev virbr0
  ip addr add 10.0.120.1/24 dev virbr1
  for bridge in virbr0 virbr1; do ip link set "$bridge" up; done
  add_machine guest1 192.168.122.10 virbr0
  add_machine guest2 192.168.122.11 virbr0
  add_machine isolated 10.0.120.10 virbr1
  add_machine outside "$outside" ''
  ip addr add 203.0.113.1/24 dev to-outside
  ip -n guest1 route add default via 192.168.122.1
  ip -n guest2 route add default via 192.168.122.1
  ip -n isolated route add default via 10.0.120.1
  serve guest1 80 'echo guest1 serves'
}

# add_machine NAME ADDRESS BRIDGE
add_machine() {
  ip netns add "$1"
  ip link add "to-$1" type veth peer name eth0 netns "$1"
  ip -n "$1" link set lo up
  ip -n "$1" link set eth0 up
  ip -n "$1" addr add "$2/24" dev eth0
  [ -z "$3" ] || ip link set "to-$1" master "$3"
  ip link set "to-$1" up
}

# serve MACHINE PORT COMMAND
serve() {
  printf '#!/bin/sh\n%s\n' "$3" > "/tmp/serve-$1"
  chmod 755 "/tmp/serve-$1"
  on "$1" setsid nc -ll -p "$2" -e "/tmp/serve-$1" < /dev/null > /dev/null 2>&1 &
}

write_networks() {
  cat > /tmp/default.xml << 'XML'
<network>
  <name>default</name>
  <metadata>
    <bridgewall:network xmlns:bridgewall="urn:bridgewall:network:1">
      <bridgewall:publish proto="tcp" port="8080" to="192.168.122.10:80"/>
    </bridgewall:network>
  </metadata>
  <forward mode='nat'/>
  <bridge name='virbr0'/>
  <ip address='192.168.122.1' netmask='255.255.255.0'/>
</network>
XML
  cat > /tmp/isolated.xml << 'XML'
<network>
  <name>isolated</name>
  <bridge name='virbr1'/>
  <ip address='10.0.120.1' netmask='255.255.255.0'/>
</network>
XML
}

# on MACHINE COMMAND...
on() {
  machine=$1
  shift
  ip netns exec "$machine" "$@"
}

# --- The claims -------------------------------------------------------------------------------------

# Without rules everything gets through, so that what is refused later is refused by rules.
check_machines() {
  sysctl -q -w net.ipv4.ip_forward=1
  know_guests add
  claim 'without rules guest1 gets out only where the outside has a route back' reaches guest1 "$outside"
  claim 'without rules the outside reaches guest1' reaches outside 192.168.122.10
  claim 'without rules isolated reaches the outside' reaches isolated "$outside"
  claim 'without rules isolated reaches guest1' reaches isolated 192.168.122.10
  know_guests del
  claim 'without that route guest1 gets no answer' reaches_not guest1 "$outside"
}

# run_round BACKEND
run_round() {
  sysctl -q -w net.ipv4.ip_forward=0
  rules "$1" > /tmp/before
  claim "$1: up" ends_with 0 bridgewall up --backend "$1" /tmp/default.xml /tmp/isolated.xml
  claim "$1: status names the networks and the backend" status_names "$1"
  check_traffic "$1"
  flush "$1"
  claim "$1: check sees that rules are gone" ends_with 3 bridgewall check
  claim "$1: reload puts them back" ends_with 0 bridgewall reload
  check_traffic "$1 again"
  claim "$1: down" ends_with 0 bridgewall down --all
  rules "$1" > /tmp/after
  claim "$1: the rules are what they were before up" diff /tmp/before /tmp/after
  claim "$1: there was a rule of somebody else" grep -q 198.51.100.1 /tmp/after
}

# check_traffic PREFIX
check_traffic() {
  claim "$1: check finds nothing wrong" ends_with 0 bridgewall check
  claim "$1: guest1 reaches the outside, which knows no guest" reaches guest1 "$outside"
  claim "$1: guest1 reaches guest2" reaches guest1 192.168.122.11
  claim "$1: the host reaches guest1" ends_with 0 ping -c 1 -W 2 192.168.122.10
  claim "$1: isolated reaches the host" reaches isolated 10.0.120.1
  claim "$1: the published port leads to guest1" published
  know_guests add
  claim "$1: the outside does not reach guest1" reaches_not outside 192.168.122.10
  claim "$1: the outside does not reach port 80 of guest1" closed
  claim "$1: isolated does not reach the outside" reaches_not isolated "$outside"
  claim "$1: isolated does not reach guest1" reaches_not isolated 192.168.122.10
  claim "$1: guest1 does not reach isolated" reaches_not guest1 10.0.120.10
  know_guests del
}

# know_guests add|del: the outside's way back, without which an answer proves translation.
know_guests() {
  for prefix in 192.168.122.0/24 10.0.120.0/24; do
    ip -n outside route "$1" "$prefix" via 203.0.113.1
  done
}

# flush BACKEND: as somebody else may do it.
flush() {
  if [ "$1" = nftables ]; then
    nft list tables | grep -v foreign | while read -r table; do nft "delete $table"; done
  else
    iptables -F
    iptables -t nat -F
    iptables -A INPUT -s 198.51.100.1 -j DROP
  fi
}

# rules BACKEND. Of iptables built-in chains may stay, without rules.
rules() {
  if [ "$1" = nftables ]; then nft list ruleset; else all_iptables; fi
}

all_iptables() {
  for program in iptables-save ip6tables-save iptables-legacy-save; do
    "$program" | grep -E -v '^(#|\*|COMMIT|:[A-Z]+ ACCEPT )' || true
  done
}

# --- How it is found out: what follows prints what it saw and fails, where it does not hold ---------

status_names() {
  seen=$(bridgewall status 2>&1) || fail "$seen" || return
  for word in default isolated "$1"; do
    case $seen in *"$word"*) ;; *) fail "no $word in: $seen" || return ;; esac
  done
}

# reaches MACHINE ADDRESS
reaches() {
  seen=$(on "$1" ping -c 1 -W 3 "$2" 2>&1) || fail "$seen"
}

reaches_not() {
  seen=$(on "$1" ping -c 1 -W 1 "$2" 2>&1) || return 0
  fail "$seen"
}

published() {
  seen=$(on outside nc -w 5 203.0.113.1 8080 < /dev/null 2>&1) || true
  [ "$seen" = 'guest1 serves' ] || fail "from port 8080: '$seen'"
}

closed() {
  seen=$(on outside nc -w 2 192.168.122.10 80 < /dev/null 2>&1) || return 0
  fail "from port 80: '$seen'"
}

# ends_with STATUS COMMAND...
ends_with() {
  wanted=$1
  shift
  status=0
  seen=$("$@" 2>&1) || status=$?
  [ "$status" -eq "$wanted" ] || fail "status $status, wanted $wanted: $seen"
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

main
reboot -f
