/**
 * A plugin for typedoc: {@link InvalidOptionError} in a docstring means the class of the door /errors, also where the
 * documented file does not import it.
 *
 * @param {import("typedoc").Application} app
 */
export function load(app) {
  app.converter.addUnknownSymbolResolver((reference, from) => {
    const name = reference.symbolReference?.path?.[0]?.path;
    const errors = from.project.children?.find((door) => door.name === "tfjs-landscape/errors");
    const target = errors?.children?.find((child) => child.name === name);
    return target && { target, caption: name };
  });
}
