# Sourced by the deep tests: fresh minimal Debian roots by debootstrap, with this host's package sources.
# shellcheck shell=bash

# new_root FOLDER LOG PACKAGES…: fills the folder. /proc and /dev are mounted in it until drop_root.
new_root() {
  local root=$1 log=$2 mirror; shift 2
  mirror=$({ cat /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list 2>/dev/null || true; } |
    sed -nE 's/^(URIs:|deb) (\[[^]]*\] )?(https?:[^ ]+).*/\3/p' | head -n 1)
  [ -n "$mirror" ] || { echo "error: no package source with an http(s) address in /etc/apt" >&2; exit 2; }
  command -v debootstrap >/dev/null || { echo "error: no debootstrap: apt-get install debootstrap" >&2; exit 2; }
  echo "debootstrap into $root" >&2
  debootstrap --variant=minbase --include="$(IFS=,; echo "$*")" bookworm "$root" "$mirror" >>"$log" 2>&1
  rm -rf "$root/etc/apt/sources.list" "$root/etc/apt/sources.list.d" "$root/etc/apt/apt.conf.d"
  cp -a /etc/apt/sources.list.d /etc/apt/apt.conf.d "$root/etc/apt/" 2>/dev/null || true
  [ ! -f /etc/apt/sources.list ] || cp -a /etc/apt/sources.list "$root/etc/apt/"
  local path
  for path in /etc/apt/trusted.gpg.d /etc/apt/keyrings /usr/share/keyrings /usr/local/share/ca-certificates /etc/ssl/certs; do
    [ ! -d "$path" ] || { mkdir -p "$root$path"; cp -aL "$path/." "$root$path/" 2>/dev/null || true; }
  done
  cp -L /etc/resolv.conf "$root/etc/resolv.conf" 2>/dev/null || true
  mount -t proc proc "$root/proc"
  mount --rbind /dev "$root/dev" && mount --make-rslave "$root/dev"
}

# drop_root FOLDER: unmounts and, unless KEEP_ROOT=1, removes it.
drop_root() {
  local mount
  for mount in proc dev/pts dev sys; do umount -l "$1/$mount" 2>/dev/null || true; done
  [ "${KEEP_ROOT:-0}" = 1 ] || rm -rf --one-file-system "$1"
}

# in_root FOLDER COMMAND: a shell command inside, with the proxy of this host and nothing else of its environment.
in_root() {
  env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb \
    ${http_proxy:+http_proxy=$http_proxy} ${https_proxy:+https_proxy=$https_proxy} chroot "$1" bash -c "$2"
}
