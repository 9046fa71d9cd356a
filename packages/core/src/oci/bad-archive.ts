import { UserError } from '../base/errors.ts';

/** The error for a layer or archive that is damaged, hostile or of an unknown form. */
export function badArchive(message: string, cause?: unknown): UserError {
  return new UserError('BAD_ARCHIVE', `The archive cannot be used: ${message}.`, {
    hint: 'It is damaged or was made to do harm. Fetch it again, or ask who made it.',
    ...(cause === undefined ? {} : { cause }),
  });
}
