#!/usr/bin/perl
# Asks the filter that lies over this process about system calls, without making one. (Linux on x86-64.)
# A child puts a further filter over itself, which stops each call that carries a mark as its sixth argument for a tracer; then
# the tracer has it make calls and lets none of them happen. A filter that refuses is stronger than one that stops (seccomp(2)):
# a call that stops was allowed, and one that comes back with an error was refused by the filter above.
# Reads lines `label way number argument...` (way: x86-64 or i386; up to five arguments), writes `label allowed|errno N|killed`.
my ($ptrace, $prctl, $seccomp, $wait4) = (101, 157, 317, 61);
my ($getregs, $setregs, $poketext, $pokeuser, $continue, $setoptions) = (12, 13, 4, 6, 7, 0x4200);
my $mark = 0x5ec0de;
# Where user_regs_struct (sys/user.h) has a number and its six arguments, as each way of calling wants them; the instruction and a breakpoint.
my %ways = (
  'x86-64' => { code => "\x0f\x05\xcc", arguments => [14, 13, 12, 7, 9, 8] },
  'i386' => { code => "\xcd\x80\xcc", arguments => [5, 11, 12, 13, 14, 4] },
);
my ($child, $registers);
my $status = pack 'l', 0;

sub traced { my $result = syscall($ptrace, $_[0], $child, $_[1], $_[2]); $result == -1 and die "ptrace $_[0]: $!"; }
sub ending { syscall($wait4, $child, $status, 0, 0) == $child or die "wait: $!"; return unpack 'L', $status; }

sub begin {
  $child = fork // die "fork: $!";
  if ($child == 0) {
    syscall($prctl, 38, 1, 0, 0, 0) == 0 or die "no_new_privs: $!";
    syscall($ptrace, 0, 0, 0, 0) == 0 or die "traceme: $!";
    # If the low half of the sixth argument is the mark: SECCOMP_RET_TRACE, else SECCOMP_RET_ALLOW.
    my $program = pack '(SCCL)4', 0x20, 0, 0, 56, 0x15, 0, 1, $mark, 0x06, 0, 0, 0x7ff00000, 0x06, 0, 0, 0x7fff0000;
    syscall($seccomp, 1, 0, pack 'S x6 P', 4, $program) == 0 or die "seccomp: $!";
    kill 'STOP', $$;
    die 'never here';
  }
  ending();
  traced($setoptions, 0, 0x100080); # PTRACE_O_EXITKILL, PTRACE_O_TRACESECCOMP
  $registers = "\0" x (27 * 8);
  traced($getregs, 0, $registers);
}

begin();
while (my $line = <STDIN>) {
  my ($label, $way, $number, @arguments) = split ' ', $line;
  $#arguments = 4;
  my ($code, $places) = @{$ways{$way}}{'code', 'arguments'};
  my @now = unpack 'q27', $registers;
  $now[10] = 0 + $number; # rax
  $now[15] = -1; # orig_rax: no call to be made again
  my @values = (@arguments, $mark);
  $now[$places->[$_]] = 0 + ($values[$_] // 0) for 0 .. 5;
  traced($poketext, $now[16], unpack 'q', $code . "\xcc" x 5); # at rip
  my $changed = pack 'q27', @now;
  traced($setregs, 0, $changed);
  traced($continue, 0, 0);
  my $stop = ending();
  my $answer;
  if ($stop >> 8 == 0x705) { # PTRACE_EVENT_SECCOMP: allowed; the call is not made
    $answer = 'allowed';
    traced($pokeuser, 120, -1);
    traced($continue, 0, 0);
    $stop = ending();
  } elsif ($stop == 0x057f) { # the breakpoint
    my $after = "\0" x (27 * 8);
    traced($getregs, 0, $after);
    my $result = (unpack 'q27', $after)[10];
    $answer = $result < 0 ? 'errno ' . -$result : "returned $result";
  }
  if ($stop != 0x057f) {
    $answer //= sprintf 'killed %x', $stop;
    kill 'KILL', $child;
    ending() if ($stop & 0xff) == 0x7f;
    begin();
  }
  print "$label $answer\n";
}
kill 'KILL', $child;
