import { readFile } from "node:fs/promises";

/** Says whether there is a process of that number on this machine. */
export function isProcess(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/**
 * Returns when a process began, in the system's own count: two processes that had one number differ in it.
 *
 * Linux only: boot and field 22 of /proc/PID/stat. null elsewhere, and where there is no such process.
 */
export async function startOfProcess(pid: number): Promise<string | null> {
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
