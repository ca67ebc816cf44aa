"""Every service of a server, built once and shared by all surfaces."""

from collections.abc import Callable, Collection
from pathlib import Path

from msgspec import Struct

from tallystick.ledger import Ledger
from tallystick.model.counter import LIFETIME_MS
from tallystick.services.accounts.logouts import Logouts
from tallystick.services.accounts.seals import Seals
from tallystick.services.accounts.setup import Setup
from tallystick.services.accounts.sites import Sites
from tallystick.services.accounts.superuser_logins import SuperuserLogins
from tallystick.services.accounts.tickets import Tickets, tickets_of
from tallystick.services.accounts.tokens import Tokens
from tallystick.services.analytics.funnel_questions import FunnelQuestions
from tallystick.services.analytics.kept.annotations import Annotations
from tallystick.services.analytics.kept.funnels import Funnels
from tallystick.services.analytics.kept.goals import Goals
from tallystick.services.analytics.kept.keeping import KeptCache
from tallystick.services.analytics.kept.saved_views import SavedViews
from tallystick.services.analytics.kept.segments import Segments
from tallystick.services.analytics.names import Names
from tallystick.services.analytics.presence import Presence
from tallystick.services.analytics.questions import Questions
from tallystick.services.analytics.visitor_counter import VisitorCounter
from tallystick.services.clock import ClockWatch
from tallystick.services.counting.abuse import CounterNumbers
from tallystick.services.counting.counter_uploads import CounterUploads
from tallystick.services.counting.counting import Counting
from tallystick.services.counting.many import ManyCounters
from tallystick.services.counting.owned.service import OwnedCounters
from tallystick.services.counting.owned.visitors import AdmitsVisitor, CounterVisitors
from tallystick.services.exports.exports import Exports
from tallystick.services.exports.folder import ExportFolder
from tallystick.services.feed.following import Following
from tallystick.services.file_places import FilePlace, FolderPlace
from tallystick.services.idempotency import InFlight
from tallystick.services.imports.aggregates import AggregateImports
from tallystick.services.imports.journal import ImportRecordFiles
from tallystick.services.imports.shared_records import SharedImportRecords, SharedUploadRecords
from tallystick.services.imports.upload_folder import UploadFolder, UploadRecordFiles
from tallystick.services.imports.uploads import Uploads
from tallystick.services.ingest.ingest import Ingest, Knowledge
from tallystick.services.ingest.new_names import Admits
from tallystick.services.operating.backups import BackupNoteFile, BackupNotes
from tallystick.services.operating.state import Operating
from tallystick.services.readiness import Readiness
from tallystick.services.sharing.service import Sharing
from tallystick.tasks import BackgroundTasks
from tallystick.warehouse import Warehouse


class Services(Struct, frozen=True, kw_only=True):
    """All services, one of each: ``sharing`` wakes ``following``, and caches are invalidated together."""

    ledger: Ledger
    warehouse: Warehouse
    clock: ClockWatch
    counting: Counting
    counter_uploads: CounterUploads
    many_counters: ManyCounters
    counter_numbers: CounterNumbers
    owned_counters: OwnedCounters
    counter_visitors: CounterVisitors
    setup: Setup
    seals: Seals
    superuser_logins: SuperuserLogins
    logouts: Logouts
    sites: Sites
    tokens: Tokens
    tickets: Tickets
    names: Names
    ingest: Ingest
    exports: Exports
    visitor_counter: VisitorCounter
    presence: Presence
    questions: Questions
    funnel_questions: FunnelQuestions
    aggregates: AggregateImports
    uploads: Uploads
    goals: Goals
    funnels: Funnels
    segments: Segments
    saved_views: SavedViews
    annotations: Annotations
    kept: KeptCache
    readiness: Readiness
    operating: Operating
    following: Following
    sharing: Sharing
    in_flight: InFlight
    tasks: BackgroundTasks

    def forget_names(self, deleted: Collection[int] = ()) -> None:
        """Invalidate cached names and sites: another process, or a job, has changed them.

        Args:
            deleted: deleted sites.
        """
        self.names.forget(deleted)
        self.questions.forget()
        self.sites.invalidate()
        self.kept.invalidate()


def build_services(  # noqa: PLR0913  # settings of single services
    ledger: Ledger,
    warehouse: Warehouse,
    *,
    data: Path,
    place: Callable[[str], FilePlace] | None = None,
    noted: BackupNotes | None = None,
    knowledge: Knowledge | None = None,
    seals: Seals | None = None,
    admits_new_name: Admits | None = None,
    admits_visitor: AdmitsVisitor | None = None,
    counter_lifetime: int = LIFETIME_MS,
    default_site: str = "",
    hide_foreign: bool = False,
) -> Services:
    """Build every service over two open stores. Nothing is started.

    Args:
        data: the data directory.
        place: where files of a kind are that all servers with the same hits need; None for the data directory.
        noted: the note of the last backup; None for the one in the data directory.
        knowledge: countries and spam referrers that hits are compared with; by default only those built in.
        seals: with the key of this data directory; without them the secrets of authenticator apps are valid until the
            server stops.
        admits_new_name: the limit of new names per site and address; None for no limit.
        admits_visitor: the limit of visitors of unique counters per address; None for no limit.
        counter_lifetime: of public counters, in ms since their last change.
        default_site: the site that counts for Hosts without a site.
        hide_foreign: refuse changes of foreign shared counters with "not found" in place of "forbidden".
    """
    place = place or (lambda kind: FolderPlace(data / kind))
    names, following, in_flight, kept = Names(ledger), Following(ledger), InFlight(), KeptCache(ledger)
    questions = Questions(ledger, warehouse)
    clock, readiness, tasks = ClockWatch(ledger, warehouse.clock), Readiness(ledger, warehouse), BackgroundTasks()
    sites, ingest = Sites(ledger, default=default_site), Ingest(ledger, warehouse, names, knowledge, admits_new_name)
    aggregates = AggregateImports(ledger, warehouse, warehouse.clock)
    uploads, shared = place("uploads"), SharedUploadRecords(ledger) if warehouse.shared else None
    return Services(
        ledger=ledger,
        warehouse=warehouse,
        clock=clock,
        counting=Counting(ledger, counter_lifetime, in_flight),
        counter_uploads=CounterUploads(ledger, counter_lifetime, data, place("counters") if warehouse.shared else None),
        counter_numbers=CounterNumbers(ledger),
        many_counters=ManyCounters(ledger, counter_lifetime, in_flight),
        owned_counters=OwnedCounters(ledger, in_flight),
        counter_visitors=CounterVisitors(ledger, sites, admits_visitor),
        setup=Setup(ledger),
        seals=seals or Seals.new(),
        superuser_logins=SuperuserLogins(ledger),
        logouts=Logouts(ledger),
        sites=sites,
        tokens=Tokens(ledger),
        tickets=tickets_of(ledger),
        names=names,
        ingest=ingest,
        exports=Exports(ledger, warehouse, ExportFolder(place("exports"))),
        visitor_counter=VisitorCounter(ledger, warehouse),
        presence=Presence(warehouse),
        questions=questions,
        funnel_questions=FunnelQuestions(ledger, warehouse, questions),
        aggregates=aggregates,
        uploads=Uploads(
            ledger,
            warehouse,
            sites,
            ingest,
            aggregates,
            UploadFolder(uploads, shared or UploadRecordFiles(uploads.work)),
            ImportRecordFiles(data / "imports") if shared is None else SharedImportRecords(ledger),
            shared,
        ),
        goals=Goals(kept),
        funnels=Funnels(kept),
        segments=Segments(kept),
        saved_views=SavedViews(kept),
        annotations=Annotations(ledger),
        kept=kept,
        readiness=readiness,
        operating=Operating(
            ledger, warehouse, readiness, clock, tasks, questions.slow, data, noted or BackupNoteFile(data)
        ),
        following=following,
        sharing=Sharing(ledger, following.wake, hide_foreign=hide_foreign),
        in_flight=in_flight,
        tasks=tasks,
    )
