/** Installs the packages in "$@". Package lists and archives do not stay in the layer: they differ from day to day. */
export const aptScript = `set -e
export DEBIAN_FRONTEND=noninteractive
apt-get -o Dpkg::Use-Pty=0 update
apt-get -o Dpkg::Use-Pty=0 install -y --no-install-recommends -- "$@"
apt-get clean
rm -rf /var/lib/apt/lists/*
`;

/**
 * Makes the user "$1" with a group of its name, a home and a shell, unless the image has the user. Needs nothing but a POSIX
 * shell, cat, mkdir, chown and chmod: useradd is missing in small images, and writes last-change dates.
 */
export const userScript = `set -eu
name=$1
while IFS=: read -r user rest; do
  if [ "$user" = "$name" ]; then exit 0; fi
done < /etc/passwd
taken() {
  while IFS=: read -r _ _ number _; do
    if [ "$number" = "$1" ]; then return 0; fi
  done < "$2"
  return 1
}
id=1000
while taken "$id" /etc/passwd || taken "$id" /etc/group; do id=$((id + 1)); done
shell=/bin/sh
if [ -x /bin/bash ]; then shell=/bin/bash; fi
echo "$name:x:$id:$id::/home/$name:$shell" >> /etc/passwd
echo "$name:x:$id:" >> /etc/group
if [ -f /etc/shadow ]; then echo "$name:!:20454:0:99999:7:::" >> /etc/shadow; fi
mkdir -p "/home/$name"
if [ -d /etc/skel ]; then cp -R /etc/skel/. "/home/$name/"; fi
chown -R "$id:$id" "/home/$name"
chmod 0755 "/home/$name"
`;
