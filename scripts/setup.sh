# Sourced by demo and check: installs the Debian packages that are missing and builds a preset.
# Never installs with --no-install; never touches anything outside the packages it names and the build folder.

build_packages="g++ cmake ninja-build pkg-config ccache libcurl4-openssl-dev libuv1-dev nlohmann-json3-dev
  libcli11-dev libsqlite3-dev libsimdjson-dev libyaml-cpp-dev libxxhash-dev libfmt-dev libexpected-dev libboost-dev libre2-dev"
# For the Debian package's dependencies: dpkg-shlibdeps, which CPack starts after asking file(1) what is a binary.
package_packages="dpkg-dev file"
test_packages="libgtest-dev libvalijson-dev $package_packages"
# Tests run kubectl against a server of their own; whichever is there will do.
command -v kubectl >/dev/null || test_packages="$test_packages kubernetes-client"

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $1"; [ -z "${2:-}" ] || say "help:  $2"; exit "${3:-1}"; }

# have_packages NAME…: prints those that are not installed.
missing_packages() {
  local name
  for name in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || printf '%s ' "$name"
  done
}

# install_packages NO_INSTALL NAME…: installs what is missing, or says how.
install_packages() {
  local refuse=$1 missing; shift
  command -v dpkg-query >/dev/null || die "this is no Debian system" "install the libraries listed in scripts/setup.sh and run cmake --preset release"
  missing=$(missing_packages "$@")
  [ -n "$missing" ] || return 0
  if [ "$refuse" = 1 ]; then
    die "these Debian packages are missing: $missing" "apt-get install $missing" 2
  fi
  local as_root=
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || die "these Debian packages are missing and neither root nor sudo is at hand: $missing" "as root: apt-get install $missing" 2
    as_root=sudo
  fi
  say "installing Debian packages: $missing"
  $as_root apt-get update -qq || die "apt-get update failed" "check the network and the package sources"
  # shellcheck disable=SC2086  # a list of package names
  DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null ||
    die "apt-get install failed for: $missing" "run it by hand to see why"
}

# build PRESET FOLDER TARGET…: configures once, then builds; quiet when there is nothing to do.
build() {
  local preset=$1 folder=$2 log; shift 2
  log=$folder/build.log
  mkdir -p "$folder"
  if [ ! -f "$folder/build.ninja" ]; then
    say "configuring $folder"
    # For a package: without tests, so without the Debian packages that they need.
    local options=()
    [ "$folder" != build-package ] || options=(-B "$folder" -DBUILD_TESTING=OFF)
    cmake --preset "$preset" "${options[@]}" >"$log" 2>&1 || { tail -n 30 "$log" >&2; die "cmake failed" "the whole log is $log"; }
  fi
  if ! cmake --build "$folder" -j "$(nproc)" --target "$@" -- -n 2>/dev/null | grep -q 'no work to do'; then
    say "building $folder (a few minutes the first time)"
  fi
  cmake --build "$folder" -j "$(nproc)" --target "$@" >"$log" 2>&1 ||
    { grep -E 'error|FAILED' "$log" | head -n 30 >&2; die "the build failed" "the whole log is $log"; }
}
