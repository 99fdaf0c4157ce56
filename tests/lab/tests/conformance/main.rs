//! One suite of cases for the embedded cluster and for Apache Kafka: what one answers, the other must.
//!
//! A case is a function of a [`Target`], written against raw requests and answers. It is a test twice: `embedded::NAME` and
//! `kafka::NAME`. A case that passes on Kafka and fails on the embedded cluster is a bug of the latter; the other way round, of the case.
#![allow(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

mod admin;
mod batch;
mod configs;
mod connection;
mod fetch;
mod frames;
mod offsets;
mod produce;
mod sequences;
mod sessions;
mod target;
mod topics;

use target::Target;

/// Each case as a test on both targets.
macro_rules! cases {
    ($($module:ident: $($case:ident),+ $(,)?;)*) => {
        mod embedded {
            $($(#[test] fn $case() { super::$module::$case(super::Target::embedded()); })+)*
        }

        mod kafka {
            $($(#[test] fn $case() { super::$module::$case(super::Target::kafka()); })+)*
        }
    };
}

cases! {
    frames:
        versions_from_the_future_are_answered_in_version_0,
        unknown_apis_and_versions_close_the_connection,
        frames_that_cannot_be_close_the_connection,
        requests_sent_ahead_are_answered_in_order;
    produce:
        a_batch_gets_the_next_offsets,
        two_batches_for_a_partition_are_refused,
        of_a_partition_listed_twice_only_the_last_is_stored,
        a_base_offset_other_than_0_is_refused,
        a_partial_batch_behind_a_whole_one_is_left_out,
        damaged_bytes_are_refused,
        gaps_and_empty_batches_are_refused,
        forged_offsets_pass_uncompressed_only,
        control_batches_are_refused,
        the_append_time_bit_passes_to_create_time_only,
        the_delete_horizon_bit_is_stored,
        a_transactional_batch_needs_a_transactional_id,
        a_compacted_topic_refuses_null_keys,
        what_is_too_large_is_refused,
        another_codec_of_the_topic_recompresses,
        append_time_is_answered_and_stored,
        times_far_ahead_are_refused,
        acks_are_minus_1_0_or_1,
        without_acks_nothing_is_answered,
        unknown_partitions_are_refused,
        topics_go_by_id_from_version_13,
        no_id_is_an_unknown_id,
        the_id_of_a_deleted_topic_is_unknown_when_its_name_is_used_again,
        what_is_no_batch_is_refused,
        zstd_needs_version_7;
    sequences:
        a_repeated_batch_is_answered_as_the_first_time,
        sequences_may_not_skip,
        a_producer_without_state_may_begin_anywhere,
        older_epochs_are_fenced,
        sequences_go_on_at_0_behind_the_largest,
        producers_are_described;
    fetch:
        what_was_stored_comes_back_from_the_batch_that_has_the_offset,
        offsets_out_of_range_are_told,
        the_first_batch_comes_whole_however_large,
        answers_are_cut_at_their_limit,
        a_long_poll_waits_for_its_time_and_no_longer,
        a_long_poll_ends_with_an_append,
        unknown_topics_and_ids_are_told,
        leader_epochs_are_checked,
        a_history_that_never_was_diverges,
        committed_readers_get_a_list_of_aborted_transactions;
    sessions:
        a_session_answers_what_changes,
        wrong_ids_and_epochs_are_told,
        partitions_are_added_and_forgotten,
        a_session_ends_with_its_final_epoch,
        names_and_ids_do_not_mix;
    offsets:
        the_ends_of_a_log_are_found,
        offsets_are_found_by_time,
        list_offsets_checks_what_it_is_asked,
        records_are_deleted_up_to_an_offset,
        epochs_end_where_the_log_does;
    topics:
        topics_are_created_as_asked,
        impossible_topics_are_refused,
        partitions_are_assigned_by_hand,
        validation_creates_nothing,
        topics_are_deleted_by_name_and_id,
        partitions_are_added,
        metadata_tells_of_topics_by_name_and_id,
        topics_are_described_in_pages;
    configs:
        configs_are_altered_one_by_one,
        configs_are_replaced_as_a_whole,
        lists_are_appended_to_and_subtracted_from,
        impossible_configs_are_refused,
        values_tell_where_they_come_from;
    admin:
        the_cluster_is_described,
        producer_ids_are_new,
        log_dirs_have_sizes,
        elections_that_are_not_needed_are_told;
}
