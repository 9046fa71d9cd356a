import type { JobLog } from './job-log.ts';

/** GitLab's sections. https://docs.gitlab.com/ci/jobs/job_logs/#create-custom-collapsible-sections */
export function gitlabLog(write: (line: string) => void, unixTime: () => number = () => Math.floor(Date.now() / 1000)): JobLog {
  let number = 0;
  // Output comes here without escape sequences and carriage returns, and cannot make a mark like this one.
  const mark = (kind: 'start' | 'end', title = ''): void =>
    write(`\u001B[0Ksection_${kind}:${unixTime()}:devenv_${number}\r\u001B[0K${title}`);
  return {
    open(title) {
      number++;
      mark('start', title);
    },
    close: () => mark('end'),
    output: write,
    text: write,
    folds: false,
  };
}
