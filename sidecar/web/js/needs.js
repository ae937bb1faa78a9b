// Which role a view needs, and where. The API decides all the same.

import { access } from './access.js';
import { workspaces } from './workspaces.js';

/** By view; the others are for everybody. `isEverywhere`: a role in one workspace is not enough. */
const NEEDS = {
  prices: { role: 'viewer', isEverywhere: true },
  conversations: { role: 'admin' },
  webhooks: { role: 'viewer', isEverywhere: true },
  operators: { role: 'admin', isEverywhere: true },
  tokens: { role: 'admin' },
};

/** What whoever is signed in lacks to see a view, and what to do about it; null where they may see it. */
export function lackFor(view) {
  const { role, isEverywhere = false } = NEEDS[view] ?? {};
  if (role === undefined) return null;
  if (isEverywhere) {
    return access.everywhere(role) ? null : `It needs the role “${role}” in all workspaces: an owner or admin can give it to you.`;
  }
  if (workspaces.allows(role)) return null;
  const { chosen } = workspaces;
  return chosen && access.somewhere(role)
    ? `It needs the role “${role}” in ${chosen}: choose another workspace, or have an admin of ${chosen} give it to you.`
    : `It needs the role “${role}” in ${chosen || 'a workspace'}: an owner or admin can give it to you.`;
}
