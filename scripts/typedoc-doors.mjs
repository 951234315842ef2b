/**
 * A plugin for typedoc: the pages of a door list its names by purpose, under the headings that the door's source has
 * (`// Heading` above the exports), in that order.
 *
 * It also lets {@link InvalidOptionError} in a docstring mean the class of the door /errors, where the documented file
 * does not import it.
 */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { Comment, CommentTag, Converter } from "typedoc";
import { root } from "./prepare-checkout.mjs";

/**
 * The headings of a door and the names under each, in the order of the source.
 *
 * @param {string} source - text of a door: `// Heading (remark)` lines above `export { … } from` statements.
 * @returns {{ heading: string, names: string[] }[]}
 */
export function sectionsOfDoor(source) {
  const parts = source.split(/^\/\/ (.+)$/m);
  return parts.slice(1).flatMap((heading, i) => {
    if (i % 2 === 1) return [];
    const lists = [...parts[i + 2].matchAll(/export (?:type )?\{([^}]*)\}/g)];
    const names = lists.flatMap(([, list]) =>
      list.split(",").map((name) => name.trim().replace(/^type /, "")),
    );
    return [{ heading: heading.replace(/ \(.*\)$/, ""), names: names.filter((name) => name !== "") }];
  });
}

/** @param {import("typedoc").Application} app */
export function load(app) {
  app.converter.addUnknownSymbolResolver((reference, from) => {
    const name = reference.symbolReference?.path?.[0]?.path;
    const errors = from.project.children?.find((door) => door.name === "tfjs-landscape/errors");
    const target = errors?.children?.find((child) => child.name === name);
    return target && { target, caption: name };
  });
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    const headings = [];
    for (const path of app.options.getValue("entryPoints")) {
      const source = readFileSync(resolve(root, path), "utf8");
      const name = /@module (\S+)/.exec(source)[1];
      const door = project.children.find((child) => child.name === name);
      for (const { heading, names } of sectionsOfDoor(source)) {
        if (!headings.includes(heading)) headings.push(heading);
        for (const child of door.children.filter((candidate) => names.includes(candidate.name))) {
          child.comment ??= new Comment();
          child.comment.blockTags.push(new CommentTag("@category", [{ kind: "text", text: heading }]));
        }
      }
    }
    app.options.setValue("categoryOrder", [...headings, "*"]);
  });
}
