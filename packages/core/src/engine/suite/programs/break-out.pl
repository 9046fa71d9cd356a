#!/usr/bin/perl
# Tries to get out of a container, or at what it shares with the machine. Writes a line for each attempt that was not refused,
# and at last how many there were. The environment names what there is outside: HOST_PID, HOST_MARK (what that process has in its
# environment, backwards), HOST_FILE, PORT, ABSTRACT (a socket), DEVICES. /shared is a directory of the host beside HOST_FILE. (Linux on x86-64.)
$| = 1;
my ($count, $EPERM, $ENOSYS) = (0, 1, 38);
my ($host, $file, $mark) = (@ENV{'HOST_PID', 'HOST_FILE'}, scalar reverse $ENV{HOST_MARK});

sub attempt { my ($name, $try) = @_; $count++; my $result = eval { $try->() }; print "$name\n" if $result; }
# A call that must be refused for what it is, whatever else may be wrong with it.
sub call { my ($name, $number, @arguments) = @_;
  attempt($name, sub { my $result = syscall($number, map { /^-?\d+$/ ? 0 + $_ : $_ } @arguments); return $result != -1 || ($! != $EPERM && $! != $ENOSYS); }); }
sub opens { my ($name, $path, $mode) = @_; attempt($name, sub { sysopen(my $handle, $path, $mode) }); }
sub content { my ($path) = @_; open(my $handle, '<', $path) or return ''; local $/; my $text = <$handle>; return defined $text ? $text : ''; }
sub entries { my ($directory) = @_; opendir(my $handle, $directory) or return (); return map "$directory/$_", grep !/^\.\.?$/, readdir $handle; }
my ($read, $write, $both, $nonblock) = (0, 1, 2, 2048);
my $buffer = "\0" x 4096;

# Processes of the host.
attempt('kill', sub { kill(0, $host) > 0 });
attempt('pidfd_open', sub { syscall(434, $host + 0, 0) >= 0 });
attempt('ptrace', sub { syscall(101, 16, $host + 0, 0, 0) == 0 });
attempt('process_vm_readv', sub { my $vector = pack 'PQ', $buffer, 8; syscall(310, $host + 0, $vector, 1, pack('QQ', 0x400000, 8), 1, 0) > 0 });
attempt("environment of a process of the host: $_", sub { index(content("$_/environ"), $mark) >= 0 }) for grep m{/\d+$} && $_ ne "/proc/$$", entries('/proc');

# Files of the host beside what is mounted.
my $up = '/..' x 20;
my @ways = ("/shared/../" . (split m{/}, $file)[-1], "/shared$up$file", "/proc/1/root$up$file", "/proc/1/cwd$up$file", "/proc/self/root$up$file", $file);
push @ways, map "$_$up$file", map entries("/proc/$_/fd"), 'self', 1;
symlink($file, '/shared/absolute'); symlink('../' . (split m{/}, $file)[-1], '/shared/relative');
push @ways, '/shared/absolute', '/shared/relative', '/shared/hard';
link($ways[0], '/shared/hard');
for my $way (@ways) { opens("read $way", $way, $read); opens("write $way", $way, $write); }
attempt('open_by_handle_at', sub { my $handle = pack('LL', 128, 0) . "\0" x 128; my $mount = pack 'l', 0; sysopen(my $shared, '/shared', $read);
  syscall(303, -100, '/shared', $handle, $mount, 0); syscall(304, fileno($shared), $handle, 0) >= 0 });
attempt('chroot', sub { mkdir '/jail'; sysopen(my $root, '/', $read); my $child = fork; if (!$child) { chroot '/jail'; syscall(81, fileno $root); chdir '..' for 1 .. 50; chroot '.'; exit(-e $file ? 1 : 0) } waitpid $child, 0; $? != 0 });

# The kernel's settings: nothing there that can be written can be opened for it. (Pressure is told to every user who asks, by writing.)
my $patience = 200000;
sub walk { my ($directory) = @_;
  for my $path (entries($directory)) {
    next if -l $path || $path =~ m{^/proc/(\d+|self|thread-self|pressure)$} || $patience-- < 0;
    if (-d _) { walk($path) } elsif (-f _ && (stat _)[2] & 0222) { opens("write $path", $path, $write | $nonblock) }
  } }
walk('/sys'); walk('/proc');
attempt('walked everything', sub { $patience < 0 });

# What the kernel tells of itself and of others.
for my $path ('/proc/kcore', '/proc/keys', '/proc/timer_list', '/proc/sched_debug', '/proc/kmsg', '/dev/kmsg', '/dev/mem') {
  attempt("read $path", sub { sysopen(my $handle, $path, $read | $nonblock) && sysread($handle, my $text, 1) });
}
attempt("see $_", sub { entries($_) > 0 }) for '/sys/firmware', '/proc/acpi', '/proc/scsi', '/sys/devices/virtual/powercap', '/sys/kernel/security';

# Modules and other kernels.
call('init_module', 175, $buffer, 0, ''); call('finit_module', 313, 0, '', 0); call('delete_module', 176, 'ext4', 0); call('kexec_load', 246, 0, 0, 0, 0);
# Mounts and namespaces.
my $bind = 4096; my $remount = 32;
call("mount a tmpfs at $_", 165, 'x', $_, 'tmpfs', 0, 0) for '/proc', '/sys', '/tmp';
call("mount $_", 165, $_, '/tmp', $_, 0, 0) for 'proc', 'sysfs', 'cgroup', 'cgroup2', 'overlay', 'devtmpfs', 'debugfs', 'tracefs', 'securityfs', 'bpf', 'fuse';
call('bind /', 165, '/', '/tmp', '', $bind, 0); call("remount $_", 165, '', $_, '', $remount | $bind, 0) for '/proc/sys', '/sys', '/shared';
for my $line (split /\n/, content('/proc/self/mountinfo')) { my $point = (split / /, $line)[4]; call("unmount $point", 166, $point, 2) if $point ne '/'; }
call('fsopen', 430, 'proc', 0); call('open_tree', 428, -100, '/', 1); call('move_mount', 429, -100, '/proc', -100, '/tmp', 0);
call('mount_setattr', 442, -100, '/proc/sys', 0, "\0" x 32, 32); call('pivot_root', 155, '/tmp', '/tmp');
for my $flag (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000) {
  call(sprintf('unshare %x', $flag), 272, $flag);
  attempt(sprintf('clone %x', $flag), sub { my $child = syscall(56, $flag | 17, 0, 0, 0, 0); exit 0 if $child == 0; $child > 0 });
}
attempt('clone3', sub { my $child = syscall(435, pack('Q11', 0x10000000, (0) x 3, 17, (0) x 6), 88); exit 0 if $child == 0; $child > 0 });
for my $name (entries('/proc/1/ns')) { attempt("setns $name", sub { sysopen(my $handle, $name, $read) && syscall(308, fileno $handle, 0) == 0 }); }

# Devices.
for my $device (split /,/, $ENV{DEVICES}) {
  my ($kind, $major, $minor) = split / /, $device;
  my $path = "/tmp/device-$kind-$major-$minor";
  syscall(133, $path, ($kind eq 'b' ? 0060000 : 0020000) | 0600, $major << 8 | $minor & 0xff | ($minor & 0xfff00) << 12);
  opens("read device $device", $path, $read | $nonblock); opens("write device $device", $path, $write | $nonblock);
  unlink $path;
}

# What no namespace separates.
call('keyctl', 250, 0, -3, 1); call('add_key', 248, 'user', 'x', 'x', 1, -3); call('request_key', 249, 'user', 'x', 0, -3);
call('bpf', 321, 0, $buffer, 48); call('perf_event_open', 298, $buffer, 0, -1, -1, 0); call('userfaultfd', 323, 0); call('io_uring_setup', 425, 1, $buffer);
call('clock_settime', 227, 0, pack('qq', time, 0)); call('settimeofday', 164, pack('qq', time, 0), 0); call('adjtimex', 159, pack('L', 4) . "\0" x 204);
call('reboot', 169, 0xfee1dead, 672274793, 0); call('sethostname', 170, 'other', 5); call('setdomainname', 171, 'other', 5);
call('swapon', 167, '/tmp', 0); call('swapoff', 168, '/tmp'); call('acct', 163, 0); call('syslog', 103, 3, $buffer, 4096); call('iopl', 172, 3);
call('ioperm', 173, 0x80, 1, 1); call('quotactl', 179, 0, '', 0, $buffer); call('fanotify_init', 300, 0, 0); call('vhangup', 153); call('kcmp', 312, 1, $$, 0, 0, 0);
call('vsock', 41, 40, 1, 0);
call('capset', 126, pack('Ll', 0x20080522, 0), pack('L6', (0xffffffff) x 6));
attempt('nice', sub { syscall(141, 0, 0, -10) == 0 });
attempt('real time', sub { syscall(144, 0, 1, pack('l', 10)) == 0 });
attempt('more files', sub { my $limit = "\0" x 16; syscall(97, 7, $limit); my ($soft, $hard) = unpack 'QQ', $limit; syscall(160, 7, pack('QQ', $soft, $hard + 1)) == 0 });
attempt('out of memory last', sub { open(my $handle, '>', '/proc/self/oom_score_adj') && syswrite($handle, '-1000') });

# The host's loopback, and sockets that have no file.
sub reach { my ($name, $family, $address) = @_;
  attempt("connect to $name", sub { socket(my $socket, $family, 1, 0) or return 0; local $SIG{ALRM} = sub { die 'no answer' }; syscall(38, 0, pack('q4', 0, 0, 0, 200000), 0); # setitimer
    my $result = connect($socket, $address) && sysread($socket, my $text, 4); syscall(38, 0, pack('q4', (0) x 4), 0); $result }); }
my @gateways = map { join '.', reverse unpack 'C4', pack 'N', hex } map { (split)[2] } grep { (split)[1] eq '00000000' } split /\n/, content('/proc/net/route');
reach($_, 2, pack 'S n C4 x8', 2, $ENV{PORT}, split /\./) for '127.0.0.1', '127.0.0.53', '10.0.2.2', '169.254.1.53', '0.0.0.0', @gateways;
reach('::1', 10, pack 'S n x4 a16 x4', 10, $ENV{PORT}, "\0" x 15 . "\1");
reach('an abstract socket', 1, pack('S', 1) . "\0$ENV{ABSTRACT}");
reach("socket $_", 1, pack('S a108', 1, $_)) for '/run/docker.sock', '/var/run/docker.sock', '/run/dbus/system_bus_socket', '/run/systemd/private', '/run/containerd/containerd.sock';
print "tried $count\n";
