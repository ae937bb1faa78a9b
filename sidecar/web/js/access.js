// Who is signed in, and what they may do where: what they may not is not offered. The API decides all the same.

const STRENGTH = ['viewer', 'member', 'admin', 'owner'];

export const ROLES = [
  ['viewer', 'viewer: sees everything'],
  ['member', 'member: keys too'],
  ['admin', 'admin: everything but owners'],
  ['owner', 'owner: everything'],
];

class Access {
  #session = null;

  set(session) {
    this.#session = session;
  }

  /** `admin_token` or `operator:…`; null where nobody is signed in. */
  get principal() {
    return this.#session?.principal ?? null;
  }

  /** Whether somebody with a name and a password is signed in, not the admin token. */
  get isOperator() {
    return this.principal?.startsWith('operator:') ?? false;
  }

  /** Whether the role is had for everything, and for what is of no workspace. */
  everywhere(role) {
    return isAtLeast(this.#roles['*'], role);
  }

  /** Whether the role is had in a workspace. */
  within(workspace, role) {
    return this.everywhere(role) || isAtLeast(this.#roles[workspace], role);
  }

  /** Whether the role is had over a thing: in its workspace, or everywhere where it is of none. */
  over(workspace, role) {
    return workspace ? this.within(workspace, role) : this.everywhere(role);
  }

  /** Whether these roles, by workspace, may be given: nobody gives a stronger one than their own. */
  mayGive(roles) {
    return Object.entries(roles).every(([workspace, role]) => this.within(workspace, role));
  }

  /** The workspaces in which somebody has a role who has none everywhere. */
  get named() {
    return this.everywhere('viewer') ? [] : Object.keys(this.#roles).sort((a, b) => a.localeCompare(b));
  }

  /** Whether the role is had in some workspace. */
  somewhere(role) {
    return Object.values(this.#roles).some((had) => isAtLeast(had, role));
  }

  get #roles() {
    return this.#session?.roles ?? {};
  }
}

const isAtLeast = (had, role) => STRENGTH.indexOf(had) >= STRENGTH.indexOf(role);

export const access = new Access();
