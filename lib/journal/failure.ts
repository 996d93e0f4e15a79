import { messageOf, S3BatchError } from '../errors';
import { systemCode } from './file-system';

/** A failure to write, in words for a user. */
export function writeFailure(folder: string, error: unknown): S3BatchError {
  return new S3BatchError(
    'JOURNAL_FAILED',
    `the journal in ${folder} cannot be written: ${reason(error)}. Nothing is lost as long as this process runs; ` +
      'it tries again by itself',
    { cause: error },
  );
}

/** A failure to delete or to copy what is not needed any more, in words for a user. */
export function tidyFailure(folder: string, error: unknown): S3BatchError {
  return new S3BatchError(
    'JOURNAL_FAILED',
    `the journal in ${folder} cannot be tidied up, and takes more room than it needs: ${reason(error)}. Nothing is ` +
      'lost; it tries again by itself',
    { cause: error },
  );
}

function reason(error: unknown): string {
  switch (systemCode(error)) {
    case 'ENOSPC':
      return 'the disk is full: free space on it';
    case 'EDQUOT':
      return "the user's quota of disk space is used up: free space or raise it";
    case 'EROFS':
      return 'the file system is read-only: look for errors of the disk, and mount it for writing';
    case 'EIO':
      return `the disk reports an error (${messageOf(error)}): check it`;
    case 'EACCES':
    case 'EPERM':
      return 'this user may not write there: allow it';
    case 'ENOENT':
      return 'the folder is gone: make it again';
    case 'EMFILE':
    case 'ENFILE':
      return 'too many files are open: raise the limit of open files';
    default:
      return messageOf(error);
  }
}

/** A folder that cannot be used as it is, in words for a user. */
export function unusable(folder: string, error: unknown): S3BatchError {
  const code = systemCode(error);
  const remedy =
    code === 'EACCES' || code === 'EPERM'
      ? 'this user may not read or write there: allow it, or choose another folder'
      : code === 'ENOTDIR' || code === 'EEXIST'
        ? 'it is not a folder: choose another name'
        : code === 'EROFS'
          ? 'the file system is read-only: choose another folder'
          : code === 'ENOSPC'
            ? 'the disk is full: free space on it'
            : messageOf(error);
  return new S3BatchError('JOURNAL_UNUSABLE', `the journal in ${folder} cannot be used: ${remedy}`, {
    cause: error,
  });
}
