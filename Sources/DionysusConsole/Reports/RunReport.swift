import Dionysus
import DionysusProducer

extension GenesisRun {
    /// What kind of run it is.
    var kind: String { isVerification ? "verification" : "genesis" }

    /// Whether it hasn't ended.
    var isOpen: Bool { state == .running || state == .paused || state == .failed }

    /// Records that it publishes per second, since it began; nil while that is unknown.
    var pace: Double? {
        let seconds = Double((finishedAt ?? readAt).microseconds(since: startsAt)) / 1_000_000
        return seconds > 0 && recordsPublished > 0 ? Double(recordsPublished) / seconds : nil
    }

    var json: JSON {
        .object([
            "id": .integer(id), "kind": .string(kind), "topic": .string(topic), "model": .string(model),
            "state": .string(state.rawValue),
            "percent": .init(percent), "chunks": .integer(chunks), "chunks_queued": .integer(chunksQueued),
            "chunks_done": .integer(chunksDone), "records_queued": .integer(recordsQueued),
            "records_published": .integer(recordsPublished), "per_second": .init(pace),
            "spread_seconds": .init(spread?.inSeconds), "created_at": .init(createdAt),
            "starts_at": .init(startsAt), "finished_at": .init(finishedAt), "estimated_end": .init(estimatedEnd),
            "from": .init(selection.from), "to": .init(selection.to),
            "where": .array(
                selection.conditions.map { .object(["column": .string($0.column), "value": .init($0.value)]) }
            ),
            "visible_only": .bool(selection.visibleOnly), "streamer": .init(streamer), "error": .init(error),
            "from_key": .init(firstKey), "to_key": .init(lastKey),
        ])
    }
}
