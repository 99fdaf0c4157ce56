// Towpath's SDK for plugins in JavaScript. It belongs to the `towpath` program, which writes it anew: do not edit.
//
// A file of its own, because importing it is asking for the registries: a component has this import only where towpath.json says
// "registries": true, and a module that is not there stops the build. `registry.d.ts` beside this file says what everything is.
import { schema as hostSchema, translateId as hostTranslateId } from "towpath:plugin/schema-registry@0.1.0";
import { Failure } from "./plugin.js";

/** The schema of this id. null: the registry has no such id. */
export function schema(side, id) {
  return asked(() => hostSchema(side, crossing(id)));
}

/** The target's id of the same schema. null: the target does not have it. */
export function translateId(sourceId, subject = null) {
  const id = asked(() => hostTranslateId(crossing(sourceId), subject));
  return id === null ? null : id >>> 0;
}

/** An id as the binding takes it: it holds a u32 for an i32 both ways, and would make one number of all ids from 2^31 on. */
function crossing(id) {
  if (!Number.isInteger(id) || id < 0 || id > 0xffffffff) {
    throw new RangeError(`${id} is no schema id: a whole number from 0 to 4294967295`);
  }
  return id | 0;
}

/** The contract's failure is the payload of the binding's error; left so, it would count as a broken plugin. */
function asked(ask) {
  try {
    return ask();
  } catch (error) {
    if (error.payload === undefined) {
      throw error;
    }
    throw new Failure(error.payload.message, { retriable: error.payload.retriable });
  }
}
