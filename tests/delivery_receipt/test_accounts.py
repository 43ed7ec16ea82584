"""The read copy of accounts follows what the dispatcher says."""

from __future__ import annotations

from services.delivery_receipt import accounts as accounts_module
from services.delivery_receipt import handlers
from services.delivery_receipt.accounts import Accounts
from services.delivery_receipt.store.accounts import find_accounts
from shared.ids import new_id
from tests.delivery_receipt.conftest import Scene


async def test_a_new_secret_holds_at_once_and_the_old_one_for_a_while(scene: Scene) -> None:
    """What the vendor signed before it heard of the rotation is not lost."""
    await scene.hear(scene.changed(2, "fresh"))
    renamed = scene.changed(3, "fresh", provider_name="New name")
    await scene.hear(renamed)
    fresh = Accounts(scene.database, scene.seal, 20)
    await fresh.load()
    for accounts in (scene.accounts, fresh):
        scene.accounts = accounts
        scene.restart_routes()
        assert (await scene.deliver(*scene.status(), "fresh")).status == 200
        assert (await scene.deliver(*scene.status())).status == 200
        assert (await scene.deliver(*scene.status(), "guessed")).status == 403


async def test_an_old_secret_can_be_refused_at_once(scene: Scene) -> None:
    await scene.hear(scene.changed(2, "fresh"), previous_seconds=0.0)
    assert (await scene.deliver(*scene.status(), "fresh")).status == 200
    assert (await scene.deliver(*scene.status())).status == 403


async def test_an_older_version_changes_nothing(scene: Scene) -> None:
    changes = [scene.changed(3, "fresh"), scene.changed(2, "stale")]
    await scene.hear(*changes)
    await scene.hear(scene.changed(1))
    assert (await scene.deliver(*scene.status(), "fresh")).status == 200


async def test_a_deleted_account_still_takes_receipts_for_a_while(scene: Scene, monkeypatch) -> None:
    await scene.hear(scene.changed(2, deleted=True))
    assert (await scene.deliver(*scene.status())).status == 200
    await handlers.forget_old(scene.database, scene.accounts, 30, 0)
    assert await scene.rows("SELECT 1 FROM accounts") == []
    monkeypatch.setattr(accounts_module, "NEWS_SECONDS", 0.0)
    assert (await scene.deliver(*scene.status())).status == 404


async def test_accounts_are_known_after_a_restart(scene: Scene) -> None:
    fresh = Accounts(scene.database, scene.seal, 20)
    await fresh.load()
    assert fresh.find(scene.path) is not None


async def test_a_change_that_another_replica_heard_is_found(scene: Scene) -> None:
    other = Accounts(scene.database, scene.seal, 20)
    scene.accounts.forget([scene.account_id])
    assert (await scene.deliver(*scene.status())).status == 200
    scene.accounts._looked_up.clear()
    await handlers.on_providers_changed(scene.database, other, 60.0, [scene.changed(2, "fresh")])
    assert (await scene.deliver(*scene.status(), "fresh")).status == 200


async def test_wrong_signatures_ask_the_database_at_most_once_a_second(scene: Scene, monkeypatch) -> None:
    asked = []

    async def find_and_count(connection, ids=None):
        asked.append(ids)
        return await find_accounts(connection, ids)

    monkeypatch.setattr(accounts_module, "find_accounts", find_and_count)
    monkeypatch.setattr(accounts_module, "LOOKUP_SECONDS", 3600.0)
    for _ in range(50):
        assert (await scene.deliver(*scene.status(), "guessed")).status == 403
    assert len(asked) == 1


async def test_callbacks_of_an_account_that_we_may_not_have_heard_of_are_asked_for_again(scene: Scene) -> None:
    scene.account_id = new_id()
    assert (await scene.deliver(*scene.status())).status == 503
    await scene.hear(scene.changed(1))
    assert (await scene.deliver(*scene.status())).status == 200


async def test_an_account_sealed_with_a_lost_key_is_left_out(scene: Scene, monkeypatch) -> None:
    await scene.hear(scene.changed(2, sealed=b"nonsense"))
    monkeypatch.setattr(accounts_module, "NEWS_SECONDS", 0.0)
    assert (await scene.deliver(*scene.status())).status == 404


async def test_old_callbacks_are_forgotten(scene: Scene) -> None:
    await scene.deliver(*scene.status())
    await scene.deliver(*scene.status())
    await scene.rows("UPDATE callback_batches SET received_at = now() - interval '31 days' RETURNING 1")
    assert (await scene.deliver(*scene.status())).status == 200
    assert await handlers.forget_old(scene.database, scene.accounts, 30, 7) == 2
    assert len(await scene.rows("SELECT 1 FROM callbacks")) == 1
