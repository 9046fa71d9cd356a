#!/bin/sh
# install-npm.sh VERSION SHA256: npm's own release, for the node that is here.
set -eu

archive=$(mktemp)
curl -fsSLo "$archive" "https://registry.npmjs.org/npm/-/npm-$1.tgz"
echo "$2  $archive" | sha256sum --quiet -c
mkdir -p /usr/local/lib/npm
tar -xzf "$archive" -C /usr/local/lib/npm --strip-components=1 --no-same-owner
rm "$archive"
ln -s ../lib/npm/bin/npm-cli.js /usr/local/bin/npm
ln -s ../lib/npm/bin/npx-cli.js /usr/local/bin/npx
