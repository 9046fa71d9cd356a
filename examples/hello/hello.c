#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(void) {
  char host[65] = "";
  const char *greeting = getenv("GREETING");
  gethostname(host, sizeof host - 1);
  printf("%s from inside the environment \"%s\", user id %d.\n", greeting ? greeting : "Hi", host, (int)getuid());
  return 0;
}
