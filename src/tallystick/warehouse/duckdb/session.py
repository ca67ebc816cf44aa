"""The session that functions of ``read`` and ``write`` receive: one connection in one transaction."""

from tallystick.warehouse.duckdb import aggregates, changes, exports, lookups, questions, reports
from tallystick.warehouse.duckdb.queried import QuerySession


class DuckDbSession(QuerySession):
    """A ``WarehouseSession`` and ``WarehouseWriteSession``; see their methods there."""

    total = reports.total
    top_paths = reports.top_paths
    by_value = reports.by_value
    referrers = reports.referrers
    referrers_as_seen = reports.referrers_as_seen
    figures = reports.figures
    figures_by_value = reports.figures_by_value

    answer = questions.answer
    answer_funnel = questions.answer_funnel
    names_matching = questions.names_matching

    visits = lookups.visits
    visits_in_parts = lookups.visits_in_parts
    present = lookups.present
    prop_names = lookups.prop_names
    bots_by_code = lookups.bots_by_code
    latest_bots = lookups.latest_bots
    labels = lookups.labels
    hits_of_paths = lookups.hits_of_paths
    idempotency_record = lookups.idempotency_record

    newest_hit = exports.newest_hit
    next_page = exports.next_page
    csv_lines = exports.csv_lines
    used_names = exports.used_names
    write_parquet = exports.write_parquet
    visit_windows = exports.visit_windows
    visit_counts = exports.visit_counts

    aggregate_imports = aggregates.aggregate_imports
    aggregated = aggregates.aggregated
    first_counted = aggregates.first_counted

    delete_site = changes.delete_site
    delete_paths = changes.delete_paths
    merge_paths = changes.merge_paths
    relabel = changes.relabel
    relabel_matching = changes.relabel_matching
    expire = changes.expire
    expire_part = changes.expire_part
    expired_by_site = changes.expired_by_site
    count_expired = changes.count_expired
    newest_time = changes.newest_time
    forget_old = changes.forget_old
    begin_aggregates = aggregates.begin_aggregates
    add_aggregates = aggregates.add_aggregates
    finish_aggregates = aggregates.finish_aggregates
    remove_aggregates = aggregates.remove_aggregates
