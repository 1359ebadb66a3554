import Dionysus
import DionysusProducer

/// Reads the polls of models.
struct PollReader {
    let faults: FileFaults

    func polls(_ root: FileNode?, _ models: [FileModel]) -> [PolledModel] {
        (root?["models"]?.entries ?? [])
            .flatMap { entry in
                guard let model = models.first(where: { $0.name == entry.name }) else { return [PolledModel]() }
                return (entry.value["polls"]?.items ?? []).compactMap { poll($0, of: model) }
            }
    }

    private func poll(_ node: FileNode, of model: FileModel) -> PolledModel? {
        guard let method = method(node, of: model) else { return nil }
        return PolledModel(
            model.description,
            every: duration(node["every"]) ?? .seconds(60),
            delay: duration(node["delay"]) ?? .seconds(2),
            by: method,
            named: node["name"]?.text
        )
    }

    private func method(_ node: FileNode, of model: FileModel) -> PollMethod? {
        let column = node["column"]?.text
        let own: [String: [String]] = [
            "time": ["column", "rereading", "from_now"], "state": ["column", "published", "failed", "published_at"],
            "full_table": ["deletions"],
        ]
        guard let by = node["by"]?.text, let keys = own[by] else { return nil }
        for entry in node.entries
        where own.values.joined().contains(entry.name) && !keys.contains(entry.name) {
            faults.add(
                entry.place,
                "a poll by \(by) has no key \(entry.name); its own keys are \(keys.joined(separator: ", "))"
            )
        }
        switch by {
        case "time":
            guard let column else { return missing("column", node) }
            return .time(
                column,
                rereading: duration(node["rereading"]) ?? .seconds(3_600),
                fromNow: node["from_now"]?.flag ?? false
            )
        case "state":
            guard let column else { return missing("column", node) }
            guard let published = node["published"]?.text else { return missing("published", node) }
            guard let failed = node["failed"]?.text else { return missing("failed", node) }
            return .state(column, published: published, failed: failed, publishedAt: node["published_at"]?.text)
        default: return .fullTable(deletions: node["deletions"]?.flag ?? false)
        }
    }

    private func missing(_ key: String, _ node: FileNode) -> PollMethod? {
        if !faults.touch(node) { faults.add(node.place, "a poll lacks \(key)") }
        return nil
    }

    private func duration(_ node: FileNode?) -> Duration? { node?.text.flatMap { Duration(file: $0) } }
}
