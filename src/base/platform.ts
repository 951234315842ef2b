import { constants } from "node:fs";
import { open, readFile, rename } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * What differs between operating systems, in one place: processes, flags of files, and what may be done to a file that
 * somebody has open. Functions take the platform as an argument so that tests can play another one.
 */
export type Platform = NodeJS.Platform;

/** Says whether there is a process of that number on this machine. */
export function isProcess(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It is another user's.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/**
 * Returns when a process began, in the system's own count: two processes that had one number differ in it.
 *
 * Linux only: boot and field 22 of /proc/PID/stat. null elsewhere, and where there is no such process.
 */
export async function startOfProcess(
  pid: number,
  platform: Platform = process.platform,
): Promise<string | null> {
  if (platform !== "linux") return null;
  try {
    const [stat, boot] = await Promise.all([
      readFile(`/proc/${pid}/stat`, "utf8"),
      readFile("/proc/sys/kernel/random/boot_id", "utf8"),
    ]);
    // The second field is the program's name in brackets, which may hold blanks and brackets.
    const ticks = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
    return ticks === undefined ? null : `${boot.trim()} ${ticks}`;
  } catch {
    // No /proc here: the number alone must do.
    return null;
  }
}

/** Opens for reading, and does not wait at a pipe; Windows has neither such pipes nor the flag. */
export function readingFlags({ O_RDONLY, O_NONBLOCK }: Partial<typeof constants> = constants): number {
  return (O_RDONLY ?? 0) | (O_NONBLOCK ?? 0);
}

/** How often, and after how many milliseconds, Windows is asked again. */
const [TRIES, PAUSE] = [60, 50] as const;
/** What Windows says of a file that a reader, an indexer or a virus scanner has open at the moment. */
const BUSY = ["EPERM", "EACCES", "EBUSY"];

/**
 * Gives a file another name; a file of that name is replaced, in one step.
 *
 * Windows refuses that while somebody has the other file open: there it is tried again for three seconds.
 *
 * @throws the system's error.
 */
export async function renameOver(
  from: string,
  to: string,
  platform: Platform = process.platform,
  rename_: (from: string, to: string) => Promise<void> = rename,
): Promise<void> {
  for (let tries = platform === "win32" ? TRIES : 1; ; tries--) {
    try {
      return await rename_(from, to);
    } catch (error) {
      if (tries <= 1 || !BUSY.includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
      await sleep(PAUSE);
    }
  }
}

/** Options to remove what may not be there, with all that is in it; Windows is asked again where a file is open. */
export function removal(platform: Platform = process.platform) {
  const again = platform === "win32" ? { maxRetries: TRIES, retryDelay: PAUSE } : {};
  return { recursive: true, force: true, ...again } as const;
}

/** Puts a folder's entries on the disk, without which a new name may be lost; Windows cannot and need not. */
export async function flushFolder(folder: string, platform: Platform = process.platform): Promise<void> {
  if (platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Says whether Windows keeps a file name for a device, whatever its extension: "con", "NUL.svg", "com1.txt". */
export function isDeviceName(name: string): boolean {
  return /^(con|prn|aux|nul|com\d|lpt\d)\s*(\.|$)/i.test(name);
}
