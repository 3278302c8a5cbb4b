// For TypeDoc: modules have the names by which they are imported, and what a class inherits is on the page of the class
// that it inherits from, not on eighteen others.
import { Converter } from 'typedoc';

const nameOf = (file) =>
  file === 'index' ? 'simdescent' : file.includes('/') ? file.split('/')[0] : `simdescent/${file}`;

/** Of a method its signatures are inherited. */
const isInherited = ({ flags, signatures }) =>
  flags.isInherited || (signatures?.length > 0 && signatures.every((one) => one.flags.isInherited));

export function load(app) {
  app.converter.on(Converter.EVENT_RESOLVE_END, ({ project }) => {
    for (const module of project.children) module.name = nameOf(module.name);
    for (const member of Object.values(project.reflections))
      if (member.parent && isInherited(member)) project.removeReflection(member);
  });
}
