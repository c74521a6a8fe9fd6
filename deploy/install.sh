#!/bin/sh
# Installs mricore-node on a bare server, or brings it to the release beside this script. Run it again at any time: what is
# there stays, settings and data are never overwritten. Nothing is fetched from a network.
set -eu

usage() {
  cat << 'END'
install.sh [OPTIONS]          as root, from an unpacked bundle (mricore-node bundle make)
  --roles ROLES    all (default), or some of receive,work,web: processes of a node that share a PostgreSQL
  --key FILE       public key (PEM, Ed25519) that must have signed the bundle
  --python FILE    which Python to use: 3.11 or newer, the minor version of the bundle
  --no-start       do not start the node
  --no-backup      do not back up an older release's data first
  --dry-run        say what would be done, and do nothing
  --uninstall      remove programs and units; settings, data and backups stay
  --purge          with --uninstall: remove those too
  --prefix DIR     work below DIR, with its own etc/passwd (for images and tests)
END
}

here=$(cd "$(dirname "$0")" && pwd)
prefix='' roles=all key='' python='' start=yes backup=yes dry='' uninstall='' purge=''
while [ $# -gt 0 ]; do
  case $1 in
    --prefix) prefix=$2; shift ;;
    --roles) roles=$2; shift ;;
    --key) key=$2; shift ;;
    --python) python=$2; shift ;;
    --no-start) start='' ;;
    --no-backup) backup='' ;;
    --dry-run) dry=yes ;;
    --uninstall) uninstall=yes ;;
    --purge) purge=yes ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; echo "install.sh: $1 is no option" >&2; exit 2 ;;
  esac
  shift
done

opt=$prefix/opt/mricore etc=$prefix/etc/mricore data=$prefix/var/lib/mricore backups=$prefix/var/backups/mricore
units=$prefix/etc/systemd/system
user=mricore

say() { echo "install.sh: $*"; }
die() { echo "install.sh: $*" >&2; exit "${status:-1}"; }
act() { # what it is, and the command that does it
  say "$1"
  shift
  [ -n "$dry" ] || "$@"
}
services() {
  if [ "$roles" = all ]; then echo mricore.service; else
    for role in $(echo "$roles" | tr ',' ' '); do echo "mricore@$role.service"; done
  fi
}
with_systemd() { [ -z "$prefix" ] && [ -d /run/systemd/system ]; }

for role in $(echo "$roles" | tr ',' ' '); do
  case $role in all | receive | work | web) ;; *) status=2 die "--roles: $role is none of all, receive, work, web" ;; esac
done
[ "$(id -u)" = 0 ] || [ -n "$prefix$dry" ] || status=2 die "must be run as root"

remove() {
  if with_systemd; then
    for unit in "$units"/mricore*.service "$units"/mricore*.timer; do
      name=$(basename "$unit")
      [ "$name" != mricore@.service ] || name='mricore@*'
      [ ! -e "$unit" ] || act "stops $name" systemctl disable --now --quiet "$name"
    done
  fi
  for path in "$units"/mricore.service "$units"/mricore@.service "$units"/mricore-backup.service "$units"/mricore-backup.timer \
    "$prefix"/usr/local/bin/mricore-node "$opt"; do
    if [ -e "$path" ] || [ -L "$path" ]; then act "removes $path" rm -rf "$path"; fi
  done
  if [ -n "$purge" ]; then
    for path in "$etc" "$data" "$backups"; do [ ! -e "$path" ] || act "removes $path" rm -rf "$path"; done
  else
    say "kept: $etc, $data, $backups (--purge removes them)"
  fi
  ! with_systemd || act "tells systemd" systemctl daemon-reload
}
if [ -n "$uninstall" ]; then
  remove
  exit 0
fi

# --- the bundle is whole, and who made it
[ -f "$here/SHA256SUMS" ] || status=2 die "$here is no bundle: make one with \`mricore-node bundle make FILE\`"
if [ -n "$key" ]; then
  [ -f "$here/SHA256SUMS.sig" ] || die "the bundle is not signed, and --key wants a signature"
  openssl pkeyutl -verify -pubin -inkey "$key" -rawin -in "$here/SHA256SUMS" -sigfile "$here/SHA256SUMS.sig" > /dev/null 2>&1 ||
    die "the bundle was not signed with $key: do not install it"
  say "signed with $key"
fi
(cd "$here" && sha256sum --quiet --check SHA256SUMS) || die "the bundle is damaged: carry it here again"
listed=$(sed 's/^[0-9a-f]*  //' "$here/SHA256SUMS" | sort)
found=$(cd "$here" && find . -type f ! -name SHA256SUMS ! -name SHA256SUMS.sig | sed 's|^\./||' | sort)
[ "$listed" = "$found" ] || die "the bundle holds files that it does not list: carry it here again"
version=$(cat "$here/VERSION")
wanted=$(cat "$here/PYTHON")
say "mricore-node $version, for Python $wanted"

# --- a Python that fits
fits() {
  case $(readlink -f "$1") in /root/* | /home/*) return 1 ;; esac # where the node's user cannot go
  "$1" -c "import sys, venv, ensurepip; sys.exit('%d.%d' % sys.version_info[:2] != '$wanted')" 2> /dev/null
}
if [ -z "$python" ]; then
  for one in "/usr/bin/python$wanted" "/usr/local/bin/python$wanted" "python$wanted" python3; do
    found=$(command -v "$one" || true)
    if [ -n "$found" ] && fits "$found"; then python=$found && break; fi
  done
fi
if [ -z "$python" ] || ! fits "$python"; then
  die "needs Python $wanted with venv, outside /root and /home (Debian: apt install python$wanted-venv libpython$wanted; RHEL: dnf install python$wanted)"
fi

# --- who it runs as
mkuser() {
  useradd ${prefix:+--prefix "$prefix"} --system --user-group --home-dir /var/lib/mricore --no-create-home \
    --shell /usr/sbin/nologin "$user"
}
known() { grep -qs "^$user:" "$prefix/etc/passwd" || { [ -z "$prefix" ] && id "$user" > /dev/null 2>&1; }; }
known || act "creates the user $user" mkuser
ids() { if [ -n "$prefix" ]; then awk -F: -v u="$user" '$1 == u {print $3 ":" $4}' "$prefix/etc/passwd"; else echo "$user:$user"; fi; }
own() { [ "$(id -u)" != 0 ] || chown "$(ids)" "$@"; }

folder() { # mode path
  [ -d "$2" ] || act "makes $2" mkdir -p "$2"
  [ -n "$dry" ] || { chmod "$1" "$2" && own "$2"; }
}
[ -d "$etc" ] || act "makes $etc" mkdir -p "$etc"
folder 0750 "$data"
folder 0700 "$backups"
[ -d "$opt/releases" ] || act "makes $opt/releases" mkdir -p "$opt/releases"

# --- the release: beside the others, in use only once it is whole
release=$opt/releases/$version
build() {
  rm -rf "$release"
  "$python" -m venv "$release"
  pip="$release/bin/python -m pip --disable-pip-version-check install --quiet --no-index --no-cache-dir --find-links $here/wheels"
  $pip "mricore-node[postgresql,s3]==$version"
  for server in "$here"/wheels/nvidia_pytriton-*.whl; do [ ! -e "$server" ] || $pip --no-deps "$server"; done
  sha256sum "$here/SHA256SUMS" | cut -d' ' -f1 > "$release/bundle"
}
mine=$(sha256sum "$here/SHA256SUMS" | cut -d' ' -f1)
if [ "$(cat "$release/bundle" 2> /dev/null || true)" != "$mine" ]; then
  if [ "$(readlink "$opt/current" 2> /dev/null || true)" = "releases/$version" ] && with_systemd; then
    act "stops the node: its own release is replaced" systemctl stop 'mricore*.service'
  fi
  act "installs into $release" build
fi

# --- what it starts with
settings() {
  sed -e 's|^data_dir = "var" |data_dir = "/var/lib/mricore" |' "$here/node.example.toml" > "$etc/node.example.toml"
  if [ ! -e "$etc/node.toml" ]; then
    cat > "$etc/node.toml" << END
# Settings of this node. Every key is explained in node.example.toml beside this file.
[node]
ae_title = "MRICORE"
data_dir = "$data"

[triton]
models = "$data/models"

[rules]
directory = "$etc/rules"
END
    chmod 0640 "$etc/node.toml"
    [ "$(id -u)" != 0 ] || chown "0:$(ids | cut -d: -f2)" "$etc/node.toml"
  fi
  [ -e "$etc/mricore.env" ] || cp "$here/systemd/mricore.env" "$etc/mricore.env"
  if [ ! -d "$etc/rules" ]; then cp -R "$here/rules" "$etc/rules"; fi
}
act "settings and rules in $etc, where there are none yet" settings
models() {
  mkdir -p "$data/models"
  cp -R "$here/models/." "$data/models/"
  [ "$(id -u)" != 0 ] || chown -R "$(ids)" "$data/models"
}
act "models in $data/models; calibrations and plans stay" models
viewer() {
  for package in "$here"/ohif-app-*.tgz; do
    [ ! -e "$package" ] || "$release/bin/mricore-node" viewer install --from "$package" --config "$etc/node.toml"
  done
  [ "$(id -u)" != 0 ] || [ ! -d "$data/viewer" ] || chown -R "$(ids)" "$data/viewer"
}
act "OHIF in $data/viewer" viewer

# --- what was before is backed up by the release that made it
before=$(readlink "$opt/current" 2> /dev/null || true)
save() {
  as_user "$opt/$before/bin/mricore-node" backup "$backups" --config "$etc/node.toml"
}
as_user() {
  if [ "$(id -u)" != 0 ]; then "$@"; else
    (cd "$data" && setpriv --reuid "$(ids | cut -d: -f1)" --regid "$(ids | cut -d: -f2)" --clear-groups "$@")
  fi
}
used() { [ -e "$data/node.db" ] || grep -qs '^url = "postgresql' "$etc/node.toml"; }
if [ -n "$before" ] && [ "$before" != "releases/$version" ] && [ -n "$backup" ] && used; then
  act "backs up what $before left, into $backups" save
fi
switch() {
  ln -sfn "releases/$version" "$opt/current.new" && mv -T "$opt/current.new" "$opt/current"
  mkdir -p "$prefix/usr/local/bin" && ln -sfn "$opt/current/bin/mricore-node" "$prefix/usr/local/bin/mricore-node"
  mkdir -p "$opt/share/doc" && cp -R "$here/docs/." "$opt/share/doc/"
}
if [ "$before" != "releases/$version" ] || [ ! -e "$opt/share/doc" ]; then act "uses $release" switch; fi

# --- as services
install_units() {
  mkdir -p "$units"
  cp "$here"/systemd/*.service "$here"/systemd/*.timer "$units/"
  chmod 0644 "$units"/mricore*
}
act "units in $units" install_units
if with_systemd; then
  act "tells systemd" systemctl daemon-reload
  for one in $(services) mricore-backup.timer; do
    act "enables $one" systemctl enable --quiet "$one"
    [ -z "$start" ] || act "starts $one" systemctl restart "$one"
  done
fi
say "done. Next: edit $etc/node.toml (who may send, where results go), then: runuser -u $user -- mricore-node check --config $etc/node.toml"
