"""Keys of the caller's organisation, for its owners. The operator's way is `Access` itself."""

from typing import Any

from tunewright.access import Access, Caller
from tunewright.catalog.catalog import Catalog
from tunewright.errors import BadRequest
from tunewright.records.keys import CreatedKey, Key, KeyPageRequest, KeyRequest
from tunewright.records.pages import Deleted, Page
from tunewright.usage import Quota


class Keys:
    """Every call raises Forbidden for a member."""

    def __init__(self, caller: Caller, catalog: Catalog, access: Access, quota: Quota) -> None:
        self._caller = caller
        self._quota = quota
        self._catalog = catalog
        self._access = access

    def create(self, /, **given: Any) -> CreatedKey:
        """`given`: the fields of `KeyRequest`. The answer's `value` is never seen again."""
        self._quota.admit()
        self._caller.require_owner()
        request: KeyRequest = KeyRequest.parse(given)
        return self._access.create_key(self._caller, request)

    def list(self, /, **given: Any) -> Page[Key]:
        """`given`: the fields of `KeyPageRequest`."""
        self._caller.require_owner()
        query: KeyPageRequest = KeyPageRequest.parse(given)
        newest_first = query.order == "desc"
        return self._access.page(self._caller, query.after, query.limit, newest_first=newest_first)

    def retrieve(self, id: str) -> Key:
        self._caller.require_owner()
        return self._access.key(self._caller, id)

    def delete(self, id: str) -> Deleted:
        """Revoke a key. Refused for the last owner key: nobody could make another over HTTP."""
        self._caller.require_owner()
        with self._catalog.transaction():
            key = self._access.key(self._caller, id)
            if key.role == "owner" and not self._other_owners(id):
                raise BadRequest(
                    f"{id} is the last key of an owner of '{self._caller.name}'. Create another "
                    "owner key first, or let the operator revoke it on the server's machine "
                    f"(`tunewright keys revoke {id}`).",
                    param="id",
                    code="last_owner_key",
                )
            self._access.revoke_key(id)
        return Deleted(id=id, object="organization.admin_api_key.deleted")

    def _other_owners(self, id: str) -> bool:
        page = self._access.page(self._caller, None, 2**31, newest_first=False)
        return any(key.role == "owner" and key.id != id for key in page.data)
