#!/bin/sh
# Makes the certificates of a fleet: one authority, one certificate for the
# broker, one for each clinic, one for the collector. The name in a clinic's
# certificate is its site's id in coldkeep.yaml: the broker takes it as the
# clinic's name and lets it publish below coldkeep/<that name>/ only.
#
#	certificates.sh DIR ca
#	certificates.sh DIR server HOST      as clinics reach the broker: a name or an address
#	certificates.sh DIR site SITE        SITE is site.id, in lower case
#	certificates.sh DIR collector        for Telegraf
#	certificates.sh DIR revoke SITE      a stolen Pi: then restart the broker
#	certificates.sh DIR crl              anew at least every year: the broker lets nobody in past its date
#
# DIR/ca.key signs for everybody: keep DIR on a machine that is not the broker.
set -eu
umask 077

usage() {
	sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | sed '$d' >&2
	exit 2
}
[ $# -ge 2 ] || usage
dir=$1 what=$2 name=${3:-}
mkdir -p "$dir"
cd "$dir"

# openssl keeps its register of what was signed and revoked in these files.
cat >ca.cnf <<'CNF'
[ca]
default_ca = fleet
[fleet]
dir = .
database = index.txt
new_certs_dir = signed
serial = serial
crlnumber = crlnumber
certificate = ca.crt
private_key = ca.key
default_md = sha256
default_crl_days = 400
unique_subject = no
copy_extensions = none
policy = named
[named]
commonName = supplied
organizationalUnitName = optional
[authority]
basicConstraints = critical,CA:true,pathlen:0
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[client]
basicConstraints = critical,CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth
[req]
distinguished_name = dn
prompt = no
[dn]
CN = unused
CNF

fail() {
	echo "certificates.sh: $1" >&2
	exit 1
}

# quiet runs openssl and shows what it said only when it failed: it talks a lot.
quiet() {
	said=$(openssl "$@" 2>&1) || fail "openssl $1: $said"
}

# sign NAME EXTENSIONS [FILE]: a key and a certificate for NAME.
sign() {
	[ -f ca.key ] || fail "there is no authority in $dir: run \`certificates.sh $dir ca\` first"
	[ ! -e "$1.crt" ] || fail "$dir/$1.crt is there: revoke it first, or move it away when it is due for renewal"
	quiet ecparam -name prime256v1 -genkey -noout -out "$1.key"
	quiet req -new -config ca.cnf -key "$1.key" -subj "/CN=$1" -out "$1.csr"
	quiet ca -batch -notext -config ca.cnf -days 825 -extfile "${3:-ca.cnf}" -extensions "$2" -in "$1.csr" -out "$1.crt"
	rm -f "$1.csr"
}

crl() {
	quiet ca -config ca.cnf -gencrl -out ca.crl.new
	mv ca.crl.new ca.crl
}

case $what in
ca)
	[ ! -e ca.key ] || fail "$dir/ca.key is there: a new one would shut out every clinic"
	mkdir -p signed
	: >index.txt
	openssl rand -hex 16 >serial
	echo 01 >crlnumber
	quiet ecparam -name prime256v1 -genkey -noout -out ca.key
	quiet req -new -x509 -config ca.cnf -extensions authority -key ca.key -subj "/CN=coldkeep fleet" -days 7300 -out ca.crt
	crl
	;;
server)
	[ -n "$name" ] || usage
	alt="DNS:$name"
	case $name in *[!0-9.]*) ;; *) alt="IP:$name" ;; esac
	printf '[server]\nbasicConstraints = critical,CA:false\nkeyUsage = critical,digitalSignature\nextendedKeyUsage = serverAuth\nsubjectAltName = %s\n' "$alt" >server.cnf
	sign "$name" server server.cnf
	rm server.cnf
	;;
site)
	# What the broker would read as a pattern must never stand in a name.
	case $name in
	'' | *[!a-z0-9-]*) fail "\"$name\" is no site's id: lower-case letters, digits and hyphens" ;;
	collector) fail "collector is the collector's own name: give the site another id" ;;
	esac
	sign "$name" client
	;;
collector)
	sign collector client
	;;
revoke)
	[ -f "$name.crt" ] || fail "there is no $dir/$name.crt"
	quiet ca -config ca.cnf -revoke "$name.crt"
	crl
	mv "$name.crt" "$name.revoked.crt"
	rm -f "$name.key"
	;;
crl)
	crl
	;;
*)
	usage
	;;
esac
