import { expect, test } from "vitest";
import { createTaskTimes } from "../../src/jobs/task-runner.js";

test("two tasks at a time where nothing is known or tasks are long; two messages' worth of short ones", () => {
  const times = createTaskTimes();
  expect(times.tasksAtATime("unknown")).toBe(2);
  for (const [seconds, tasks] of [
    [0.1, 2],
    [0.02, 2],
    [0.012, 4],
    [0.004, 10],
    [0.0001, 64],
    [0, 64],
  ] as const) {
    times.learn(`${seconds}`, seconds, true);
    expect(times.tasksAtATime(`${seconds}`)).toBe(tasks);
  }
  times.forget("0");
  expect(times.tasksAtATime("0")).toBe(2);
});

test("a long task after short ones counts at once, noise and short ones after long ones slowly", () => {
  const times = createTaskTimes();
  times.learn("a", 0.004, true);
  times.learn("a", 0.005, true);
  expect(times.tasksAtATime("a")).toBe(10);
  times.learn("a", 0.2, true);
  expect(times.tasksAtATime("a")).toBe(2);
  for (let i = 0; i < 5; i++) times.learn("a", 0.004, true);
  expect(times.tasksAtATime("a")).toBe(2);
  for (let i = 0; i < 30; i++) times.learn("a", 0.004, true);
  expect(times.tasksAtATime("a")).toBe(10);
});

test("what may have ended early tells only of tasks that take longer", () => {
  const times = createTaskTimes();
  times.learn("a", 0.0001, false);
  expect(times.tasksAtATime("a")).toBe(2);
  times.learn("a", 0.004, true);
  for (let i = 0; i < 30; i++) times.learn("a", 0, false);
  expect(times.tasksAtATime("a")).toBe(10);
  times.learn("a", 0.2, false);
  expect(times.tasksAtATime("a")).toBe(2);
});
