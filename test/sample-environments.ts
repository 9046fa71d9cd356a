import { debian } from './rig.ts';

/** An environment that has to come out the same, whoever makes it and where. */
export interface Sample {
  readonly image: object;
  readonly steps: readonly object[];
  /** Of the workspace. */
  readonly files?: Readonly<Record<string, string>>;
  /** What the clock shows the programs of later steps: the date is in the second machine's steps only. */
  readonly clock?: boolean;
}

const busybox = { layout: 'source' };
const apt = { name: 'packages', apt: ['gcc', 'libc6-dev', 'make', 'python3-venv', 'libcap2-bin', 'faketime'] };
const run = (...lines: readonly string[]): object => ({ run: ['set -e', ...lines].join('\n') });

/** They need no network: seconds each. */
export const smallSamples: Readonly<Record<string, Sample>> = {
  'many files': {
    image: busybox,
    steps: [run('mkdir /many; for i in $(busybox seq 300); do echo $i > /many/$i-$((i * 7919 % 1000)); done')],
  },
  'users and owners': {
    image: busybox,
    steps: [
      run(
        'echo dev:x:1000:1000::/srv:/bin/sh >> /etc/passwd; echo dev:x:1000: >> /etc/group',
        'mkdir -p /srv/data; echo x > /srv/data/file; busybox chown -R dev:dev /srv',
        'busybox chown 4000:5000 /srv/data/file',
      ),
      { run: 'cat /etc/hosts /etc/resolv.conf > /dev/null && echo mine > /srv/mine', user: 'dev' },
    ],
  },
  'Unicode names': {
    image: busybox,
    steps: [
      run(
        'mkdir "/ünïcödé 目录"; echo a > "/ünïcödé 目录/ﬁle 🙂"; echo b > "/İstanbul"; echo c > "/istanbul"',
        'echo d > "/$(printf \'\\303\\050\')"',
      ),
    ],
  },
  'setuid, setgid, sticky': {
    image: busybox,
    steps: [
      run(
        'mkdir /s /g /t; echo x > /s/x; busybox chmod 4755 /s/x; busybox chmod 2775 /g; busybox chmod 1777 /t',
        'echo y > /g/inherits; busybox chmod 0 /s',
      ),
    ],
  },
  'hard links': {
    image: busybox,
    steps: [
      run('echo one > /a; busybox ln /a /b; mkdir /d; busybox ln /a /d/c'),
      run('busybox ln /a /later; echo two >> /b'),
      run('busybox rm /a; busybox mv /d/c /moved'),
    ],
  },
  'symbolic links': {
    image: busybox,
    steps: [
      run('ln -s /nowhere /dangling; ln -s ../../.. /up; ln -s dangling /through; mkdir /real; ln -s real /folder'),
      run('echo x > /folder/inside; ln -sfn /etc /folder'),
    ],
  },
  'sparse files': {
    image: busybox,
    steps: [
      run(
        'busybox truncate -s 40M /hole; echo end >> /hole',
        'busybox dd if=/dev/zero of=/mixed bs=4096 count=3 2>/dev/null; echo x | busybox dd of=/mixed bs=1 seek=1000000 conv=notrunc 2>/dev/null',
      ),
    ],
  },
  whiteouts: {
    image: busybox,
    steps: [
      run('mkdir -p /w/a/b /w/c; echo 1 > /w/a/1; echo 2 > /w/a/b/2; echo 3 > /w/c/3'),
      run('busybox rm -r /w/a; busybox rm /etc/greeting /w/c/3'),
      run('mkdir /w/a; echo new > /w/a/new', 'busybox rm -r /w/c; echo file > /w/c'),
    ],
  },
  'directories moved': {
    image: busybox,
    steps: [
      run('mkdir -p /m/one/two; echo x > /m/one/two/x; echo y > /m/one/y'),
      run('busybox mv /m/one /m/moved; busybox mv /root /home'),
    ],
  },
  'an archive packed and unpacked': {
    image: busybox,
    steps: [
      run(
        'mkdir -p /src/a; echo x > /src/a/x; busybox touch -d "2020-01-01 00:00:00" /src/a/x /src/a /src',
        'busybox tar -C / -cf - src | busybox gzip -n > /src.tar.gz',
        'mkdir /out; busybox tar -C /out -xzf /src.tar.gz',
      ),
    ],
  },
  'long names and deep folders': {
    image: busybox,
    steps: [
      run(
        'n=$(busybox printf "%0200d" 7); mkdir -p "/$n/$n/$n"; echo x > "/$n/$n/$n/$n"; d=/deep; for i in $(busybox seq 60); do d=$d/level$i; done; mkdir -p $d; echo x > $d/x',
      ),
    ],
  },
  'pipes, empty things': {
    image: busybox,
    steps: [run('busybox mkfifo /fifo; mkdir -p /empty/er; : > /nothing; busybox chmod 600 /fifo /nothing')],
  },
  times: {
    image: busybox,
    steps: [
      run(
        'busybox touch -d "1999-12-31 23:59:58" /old; busybox touch -d "2037-01-01 00:00:00" /future; busybox touch /now; busybox touch -d "@5" /early',
      ),
    ],
  },
  'files of the workspace': {
    image: busybox,
    files: { 'app/main.sh': '#!/bin/sh\necho app\n', 'app/data/ä.txt': 'x\n', 'config.ini': 'a=b\n' },
    steps: [
      { copy: ['app', 'config.ini'], to: '/opt/' },
      { copy: 'config.ini', to: '/etc/app.ini', mode: '0640' },
      { run: 'cat config.ini app/main.sh > /read', inputs: ['config.ini', 'app/**'] },
    ],
  },
  'what a step sees of the machine': {
    image: busybox,
    steps: [
      run(
        'umask > /umask; busybox hostname > /host; busybox env | busybox sort > /env; busybox id > /id; busybox date +%Z > /zone; busybox pwd > /folder',
      ),
    ],
  },
  'jobs at the same time': {
    image: busybox,
    steps: [run('mkdir /jobs; for i in $(busybox seq 40); do (echo $i > /jobs/$i; busybox ln /jobs/$i /jobs/also-$i) & done; wait')],
  },
  'variables only': { image: busybox, steps: [{ env: { A: 'b', ZONE: 'ünï' } }, run('echo $A$ZONE > /seen')] },
};

/** On Debian, with what the archive has. */
export const largeSamples: Readonly<Record<string, Sample>> = {
  'packages of Debian': {
    image: debian,
    steps: [
      { apt: ['jq', 'locales'] },
      run('echo "de_DE.UTF-8 UTF-8" > /etc/locale.gen; locale-gen; update-alternatives --install /usr/bin/j j /usr/bin/jq 1'),
    ],
  },
  'a program in C': {
    image: debian,
    files: {
      'main.c': '#include <stdio.h>\nint main(void) { return !printf("%s %s %s\\n", __DATE__, __TIME__, __FILE__); }\n',
      Makefile: 'all: main a.a\n%: %.c\n\tgcc -g -O2 -o $@ $<\na.a: main.c\n\tgcc -c -o main.o main.c && ar rcs a.a main.o\n',
    },
    steps: [
      apt,
      { run: 'make -j4 && install -D main /usr/local/bin/main && install a.a /usr/local/lib && ldconfig', inputs: ['main.c', 'Makefile'] },
    ],
  },
  'pip and a virtual environment': {
    image: debian,
    files: {
      'setup.py': 'from setuptools import setup\nsetup(name="sample", version="1.0", packages=["sample"])\n',
      'sample/__init__.py': 'NAMES = {"a", "b", "c"}\n',
    },
    steps: [
      apt,
      {
        run: 'python3 -m venv /opt/venv && cp -r setup.py sample /tmp && cd /tmp && /opt/venv/bin/pip install --no-index --no-build-isolation --disable-pip-version-check . && rm -r /tmp/*',
        inputs: ['setup.py', 'sample/**'],
      },
    ],
  },
  'capabilities and users': {
    image: debian,
    steps: [
      apt,
      run(
        'cp /bin/cat /usr/local/bin/capable; setcap cap_net_raw,cap_net_bind_service+ep /usr/local/bin/capable',
        'useradd --create-home --shell /bin/bash dev; chmod 750 /home/dev; groupadd -g 4321 team; usermod -aG team dev',
      ),
    ],
  },
  'npm packages': {
    image: debian,
    files: {
      'package.json': '{ "name": "sample", "version": "1.0.0", "dependencies": { "part": "file:part" } }',
      'part/package.json': '{ "name": "part", "version": "2.0.0", "bin": "part.js" }',
      'part/part.js': '#!/usr/bin/env node\nconsole.log("part")\n',
    },
    steps: [
      { apt: ['nodejs', 'npm'] },
      {
        run: 'npm install -g --no-audit --install-links ./part && cp package.json /srv && cp -r part /srv && cd /srv && npm install --no-audit',
        inputs: ['package.json', 'part/**'],
        cache: ['/root/.npm'], // has the time of each download in it
      },
    ],
  },
  'another day': {
    image: debian,
    clock: true,
    files: { 'main.c': '#include <stdio.h>\nint main(void) { return !printf("%s\\n", __DATE__); }\n' },
    steps: [
      apt,
      {
        run: 'gcc -o /usr/local/bin/main main.c; mkdir /day; date -u -d @$SOURCE_DATE_EPOCH > /day/when; touch /day/now',
        inputs: ['main.c'],
      },
      {
        run: 'mkdir -p /tmp/p/DEBIAN && printf "Package: greet\\nVersion: 1\\nArchitecture: all\\nMaintainer: a <a@b>\\nDescription: x\\n" > /tmp/p/DEBIAN/control && dpkg-deb --root-owner-group -b /tmp/p /var/greet.deb && dpkg -i /var/greet.deb && rm -r /tmp/p',
      },
      run('useradd later; echo "print(1)" > /day/module.py; python3 -c "import sys; sys.path.append(\'/day\'); import module"'),
    ],
  },
};
