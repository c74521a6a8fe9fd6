#!/bin/sh
# Makes the secrets that deploy/compose.yaml needs and that are not there yet: secrets.sh [FOLDER] [NAME]
# NAME is what browsers call this node; a certificate of the hospital's own replaces tls_certificate.pem and tls_key.pem.
set -eu
folder=${1:-$(dirname "$0")/secrets}
name=${2:-$(hostname -f 2> /dev/null || hostname)}
umask 022
mkdir -p "$folder"
chmod 0700 "$folder" # the files in it are read by the containers' users, the folder by nobody else

secret() {
  [ -s "$folder/$1" ] || { head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' > "$folder/$1" && echo "made $folder/$1"; }
}
secret database_password
secret triton_token
secret grafana_password
secret destination_password
if [ ! -s "$folder/orthanc_users.json" ]; then
  printf '{"RegisteredUsers": {"mricore": "%s"}}\n' "$(cat "$folder/destination_password")" > "$folder/orthanc_users.json"
  echo "made $folder/orthanc_users.json"
fi
if [ ! -s "$folder/tls_key.pem" ]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -days 397 -subj "/CN=$name" \
    -addext "subjectAltName=DNS:$name" -keyout "$folder/tls_key.pem" -out "$folder/tls_certificate.pem" 2> /dev/null
  echo "made a certificate for $name that nobody has signed: browsers will warn"
fi
chmod 0444 "$folder"/*
