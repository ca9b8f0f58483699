/** Workflows of a forge call nothing but what also runs by hand. */
import { assert, assertEquals } from "@std/assert";
import { PROJECT } from "../hosts/bundle.ts";

const WORKFLOWS = `${PROJECT}.github/workflows/`;

Deno.test("a workflow's tasks and scripts are there, and its Deno is that of the gate", () => {
  const tasks = JSON.parse(Deno.readTextFileSync(`${PROJECT}deno.json`)).tasks;
  const gate = Deno.readTextFileSync(`${PROJECT}.ci/run`);
  const called: string[] = [];
  for (const { name } of Deno.readDirSync(WORKFLOWS)) {
    const text = Deno.readTextFileSync(WORKFLOWS + name);
    for (const [, task = ""] of text.matchAll(/deno task (\w+)/g)) {
      assert(task in tasks, `${name}: there is no task "${task}"`);
      called.push(task);
    }
    for (const [path] of text.matchAll(/(?:dist\/freebsd\/|\.ci\/)\w+(?:\.sh)?/g)) {
      assert(Deno.statSync(PROJECT + path).isFile, `${name}: there is no ${path}`);
      called.push(path);
    }
    for (const [deno] of text.matchAll(/deno@[\d.]+/g)) assert(gate.includes(deno), deno);
  }
  for (const needed of [".ci/run", "compile", "deb", "archive", "port", "dist/freebsd/smoke.sh"]) {
    assertEquals(called.includes(needed), true, needed);
  }
});
