const EXPLANATIONS: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EACCES: "no permission to write",
  EPERM: "no permission to write",
  EROFS: "the file system is read-only",
  ENOENT: "a folder on the way is gone",
  ENOTDIR: "a part of the path is a file",
  EEXIST: "a part of the path is a file",
  EISDIR: "it is a folder",
  EMFILE: "too many open files",
};

/** Returns in words what an operating system's error code ("ENOSPC") says of a write, or undefined. */
export function explainWriteCode(code: unknown): string | undefined {
  return typeof code === "string" && Object.hasOwn(EXPLANATIONS, code) ? EXPLANATIONS[code] : undefined;
}
