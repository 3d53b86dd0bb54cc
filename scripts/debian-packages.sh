#!/usr/bin/env bash
# debian-packages.sh SUITE FOLDER PACKAGE...
#
# Unpacks packages of any Debian suite, with what they depend on, into FOLDER: nothing is installed, and no right is
# needed. FOLDER/bin/PROGRAM then runs a program with the loader and the libraries of its own suite. Does nothing when
# FOLDER is there already. DEBIAN_MIRROR names the mirror; by default it is the machine's own. WITHOUT is a pattern of
# packages to be left out though others depend on them.
set -euo pipefail

suite=$1 folder=$2
shift 2
[ -e "$folder/complete" ] && exit 0
command -v apt-get dpkg-deb > /dev/null || { echo "this is no Debian: apt-get is missing" >&2; exit 1; }

mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m1 -E '/debian/?$')}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
work=$(mktemp -d "$folder.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/apt/{none.d,state/lists/partial,cache/archives/partial} "$work"/out/{root,bin}

echo "deb [signed-by=$keyring] $mirror $suite main" > "$work/apt/sources.list"
cat > "$work/apt/apt.conf" << CONF
Dir::Etc::sourcelist "$work/apt/sources.list";
Dir::Etc::sourceparts "$work/apt/none.d";
Dir::Etc::preferencesparts "$work/apt/none.d";
Dir::State "$work/apt/state";
Dir::State::status "$work/apt/status";
Dir::Cache "$work/apt/cache";
APT::Install-Recommends "false";
APT::Sandbox::User "$(id -un)";
Acquire::Languages "none";
CONF
export APT_CONFIG=$work/apt/apt.conf
touch "$work/apt/status"
apt-get -qq update
# Packages that only an installed system needs count as installed.
{
  printf 'Package: provided\nStatus: install ok installed\nVersion: 9999\nArchitecture: %s\n' "$(dpkg --print-architecture)"
  printf 'Multi-Arch: foreign\nMaintainer: none <none@localhost>\nDescription: none\nProvides: debconf-2.0'
  printf ', %s (= 9999)' systemd adduser perl init-system-helpers lsb-base procps tzdata debconf sysvinit-utils
  [ -z "${WITHOUT:-}" ] || printf ', %s (= 9999)' $(apt-cache pkgnames | grep -xE "$WITHOUT")
  printf '\n\n'
} > "$work/apt/status.provided"
mv "$work/apt/status.provided" "$work/apt/status"

apt-get -qq -y --download-only install "$@" > /dev/null
for package in "$work"/apt/cache/archives/*.deb; do dpkg-deb -x "$package" "$work/out/root"; done

cat > "$work/out/run" << 'RUN'
#!/bin/sh
# run PROGRAM ARGUMENT...: PROGRAM is a path below root
root=$(cd "$(dirname "$0")" && pwd)/root
program=$root/$1
shift
for loader in "$root"/usr/lib64/ld-linux-*.so.* "$root"/lib64/ld-linux-*.so.* "$root"/usr/lib/ld-linux-*.so.* "$root"/lib/ld-linux-*.so.*; do
  [ -e "$loader" ] && break
done
for folder in "$root"/usr/lib/*-linux-gnu* "$root"/lib/*-linux-gnu* "${program%/*}/../lib"; do libraries="${libraries:+$libraries:}$folder"; done
exec "$loader" --inhibit-cache --library-path "$libraries" --argv0 "$program" "$program" "$@"
RUN
for program in "$work"/out/root/usr/bin/*; do
  name=${program##*/}
  printf '#!/bin/sh\nexec "${0%%/*}/../run" usr/bin/%s "$@"\n' "$name" > "$work/out/bin/$name"
done
chmod -R 755 "$work/out/run" "$work/out/bin"
touch "$work/out/complete"
mkdir -p "$(dirname "$folder")"
mv -T "$work/out" "$folder" 2> /dev/null || [ -e "$folder/complete" ] # another process may have been faster
