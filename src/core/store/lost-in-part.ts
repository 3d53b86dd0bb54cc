import { SessionIncompleteError } from '../errors.js'

/**
 * `SESSION_INCOMPLETE`: the database has lost the session, and knows of nothing but what was written since. A process that
 * has seen the session before can heal it; for any other one it is half a session.
 */
export class LostInPartError extends SessionIncompleteError {}
