import Dionysus

/// How the members of a payload are named here.
///
/// The payloads of a model nearly always have the same members in the same order, so names are worked out once for
/// each such order and shared.
final class RecordShape: Sendable {
    enum Role: Sendable, Hashable {
        case attribute
        case links
        case sideload
    }

    enum LinkKind: Sendable, Hashable {
        /// An id, or null.
        case one
        /// An object with an id and a type.
        case polymorphic
        /// A list.
        case many

        init(_ value: JSON) {
            switch value {
            case .array: self = .many
            case .object: self = .polymorphic
            default: self = .one
            }
        }
    }

    struct Link: Sendable, Hashable {
        let name: String
        let kind: LinkKind
    }

    /// The names of the payload's members, in their order.
    let members: [String]
    let roles: [Role]
    let links: [Link]
    /// The names that the values have here, in the order in which ``values(of:)`` returns them.
    let names: [String]
    /// How many of the names come from attributes; the others come from links.
    let attributeCount: Int
    /// The places of the values with a meaning of their own.
    let id: Int?
    let createdAt: Int?
    let updatedAt: Int?
    let canceledAt: Int?
    /// The names that the values with a meaning of their own have here.
    let columns: ReplicaColumnNames

    /// The shape of a payload that was put together here: it has no names on the wire.
    init(_ names: [String], attributeCount: Int, like shape: RecordShape) {
        (members, roles, links, columns) = ([], [], shape.links, shape.columns)
        self.names = names
        self.attributeCount = attributeCount
        let attributes = names.prefix(attributeCount)
        id = attributes.lastIndex(of: columns.id)
        createdAt = attributes.lastIndex(of: columns.createdAt)
        updatedAt = attributes.lastIndex(of: columns.updatedAt)
        canceledAt = attributes.lastIndex(of: columns.canceledAt)
    }

    init(_ object: JSON.Object, _ naming: Naming) {
        let columns = naming.columns
        self.columns = columns
        let linkMembers = Self.linkMembers(of: object)
        let linkNames = Set(linkMembers.map(\.name))
        members = object.members.map(\.name)
        roles = members.map { $0 == "links" ? .links : linkNames.contains($0) ? .sideload : .attribute }
        links = linkMembers.map { Link(name: $0.name, kind: LinkKind($0.value)) }

        let reserved = [
            "id": columns.id, "created_at": columns.createdAt, "updated_at": columns.updatedAt,
            naming.softDeleteAttribute: columns.canceledAt,
        ]
        let attributes = zip(members, roles).filter { $1 == .attribute }.map(\.0)
        attributeCount = attributes.count
        id = attributes.lastIndex(of: "id")
        createdAt = attributes.lastIndex(of: "created_at")
        updatedAt = attributes.lastIndex(of: "updated_at")
        canceledAt = attributes.lastIndex(of: naming.softDeleteAttribute)
        names =
            attributes.map { reserved[$0] ?? $0 }
            + links.flatMap { link in
                let name = columns.prefix + link.name
                return switch link.kind {
                case .one: ["\(name)_id"]
                case .polymorphic: ["\(name)_id", "\(name)_type"]
                case .many: ["\(columns.prefix)\(naming.inflection.singular(of: link.name))_ids"]
                }
            }
    }

    /// Whether a payload has these members and links, so that this is its shape.
    func matches(_ object: JSON.Object) -> Bool {
        guard object.members.count == members.count else { return false }
        var links: [JSON.Object.Member] = []
        for index in members.indices {
            let member = object.members[index]
            guard member.name == members[index] else { return false }
            if roles[index] == .links, case .object(let found) = member.value { links = found.members }
        }
        guard links.count == self.links.count else { return false }
        return zip(links, self.links).allSatisfy { $0.name == $1.name && LinkKind($0.value) == $1.kind }
    }

    /// The values of a payload of this shape, in the order of ``names``.
    func values(of object: JSON.Object) -> [JSON] {
        var values: [JSON] = []
        values.reserveCapacity(names.count)
        for (index, member) in object.members.enumerated() where roles[index] == .attribute {
            values.append(member.value)
        }
        for member in Self.linkMembers(of: object) {
            switch LinkKind(member.value) {
            case .one, .many: values.append(member.value)
            case .polymorphic:
                values.append(member.value["id"] ?? .null)
                values.append(member.value["type"] ?? .null)
            }
        }
        return values
    }

    static func linkMembers(of object: JSON.Object) -> [JSON.Object.Member] {
        guard case .object(let links)? = object["links"] else { return [] }
        return links.members
    }
}
