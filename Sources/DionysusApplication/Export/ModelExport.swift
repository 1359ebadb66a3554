import Dionysus
import DionysusProducer
import DionysusSchemas

/// Exports the records of a model as they would be published now.
struct ModelExport {
    /// How many records a page has at most.
    private static let pageSize = 1_000
    /// How many bytes of payloads a page is to have at most.
    private static let pageBytes = 16 << 20

    let pages: RecordExport
    let model: Contract.Model

    /// Writes all records after a position.
    /// - Parameter start: The key of the last record that was written; null for none.
    func run(from start: JSON, into writer: inout ExportWriter) async throws {
        var last: String? = if case .string(let key) = start { key } else { nil }
        var size = 100
        while true {
            try Task.checkCancellation()
            let page = try await pages.page(after: last, limit: size)
            for record in page.records {
                writer.add(Self.flat(try JSON(parsing: record.payload)), at: record.updatedAt)
            }
            last = page.last ?? last
            if page.isEnd { break }
            try writer.reached(last.map(JSON.string) ?? .null)
            let bytes = page.records.reduce(0) { $0 + $1.payload.count } / max(1, page.records.count)
            size = min(max(1, Self.pageBytes / max(1, bytes)), Self.pageSize)
        }
        try writer.reached(last.map(JSON.string) ?? .null, isEnd: true)
    }

    /// The columns of a table with the model's records.
    var columns: [String] {
        let links = model.links.flatMap { link -> [String] in
            if link.isToMany { return ["\(link.name)_ids"] }
            return link.models.count > 1 ? ["\(link.name)_id", "\(link.name)_type"] : ["\(link.name)_id"]
        }
        return model.attributes.map(\.name) + links + model.links.map(\.name).filter { name in isSideloaded(name) }
    }

    private func isSideloaded(_ link: String) -> Bool {
        guard let models = model.links.first(where: { $0.name == link })?.models else { return false }
        return model.parts.contains { models.contains($0.name) }
    }

    /// A payload with its links beside the attributes: as `NAME_id`, `NAME_type` and `NAME_ids`.
    static func flat(_ payload: JSON) -> JSON {
        guard case .object(let members) = payload else { return payload }
        var record = JSON.Object()
        for member in members.members where member.name != "links" { record[member.name] = member.value }
        guard case .object(let links)? = members["links"] else { return .object(record) }
        for link in links.members {
            switch link.value {
            case .array: record["\(link.name)_ids"] = link.value
            case .object(let target):
                record["\(link.name)_id"] = target["id"] ?? .null
                record["\(link.name)_type"] = target["type"] ?? .null
            default: record["\(link.name)_id"] = link.value
            }
        }
        return .object(record)
    }
}
