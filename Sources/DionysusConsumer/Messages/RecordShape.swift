import Dionysus

/// How the members of a payload are named here.
///
/// The payloads of a model nearly always have the same members in the same order, so names are worked out once for
/// each such order and shared.
final class RecordShape: Sendable {
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

    /// A link whose records stand at top level too.
    struct SideloadPlace: Sendable {
        /// The place of the link among the links.
        let link: Int
        /// The place of the records among the members.
        let member: Int
        /// The model that the link's name stands for.
        let model: String
    }

    /// The names of the payload's members, in their order.
    let members: [String]
    let links: [Link]
    let sideloads: [SideloadPlace]
    /// The places of the attributes among the members.
    private let attributes: [Int]
    /// The place of the links among the members; of several, the last.
    private let linksPlace: Int?
    /// The names that the values have here, in the order in which ``values(of:)`` returns them.
    let names: [String]
    /// The names as they stand in JSON, each with its colon.
    let encodedNames: [[UInt8]]
    /// How many of the names come from attributes; the others come from links.
    let attributeCount: Int
    /// The places of the values with a meaning of their own.
    let id: Int?
    let createdAt: Int?
    let updatedAt: Int?
    let canceledAt: Int?
    /// The names that the values with a meaning of their own have here.
    let columns: ReplicaColumnNames

    /// Whether links stand beside attributes on the wire, so that each of them may be one.
    let isFlat: Bool

    /// The shape of a payload that was put together here: it has no names on the wire.
    init(_ names: [String], attributeCount: Int, like shape: RecordShape) {
        (members, links, sideloads, columns) = ([], shape.links, [], shape.columns)
        (attributes, linksPlace, isFlat) = ([], nil, shape.isFlat)
        self.names = names
        encodedNames = Self.encoded(names)
        self.attributeCount = attributeCount
        let attributes = names.prefix(attributeCount)
        id = attributes.lastIndex(of: columns.id)
        createdAt = attributes.lastIndex(of: columns.createdAt)
        updatedAt = attributes.lastIndex(of: columns.updatedAt)
        canceledAt = attributes.lastIndex(of: columns.canceledAt)
    }

    /// The shape of a record whose links stand beside its attributes.
    init(attributes: [String], links: [String], _ naming: Naming) {
        let columns = naming.columns
        (members, self.links, sideloads, self.columns) = ([], [], [], columns)
        (self.attributes, linksPlace, isFlat) = ([], nil, true)
        let reserved = Self.reserved(naming)
        names = attributes.map { reserved[$0] ?? $0 } + links.map { columns.prefix + $0 }
        encodedNames = Self.encoded(names)
        attributeCount = attributes.count
        id = attributes.lastIndex(of: "id")
        createdAt = attributes.lastIndex(of: "created_at")
        updatedAt = attributes.lastIndex(of: "updated_at")
        canceledAt = attributes.lastIndex(of: naming.softDeleteAttribute)
    }

    private static func reserved(_ naming: Naming) -> [String: String] {
        let columns = naming.columns
        return [
            "id": columns.id, "created_at": columns.createdAt, "updated_at": columns.updatedAt,
            naming.softDeleteAttribute: columns.canceledAt,
        ]
    }

    init(_ object: JSON.Object, _ naming: Naming) {
        let columns = naming.columns
        isFlat = false
        self.columns = columns
        let members = object.members.map(\.name)
        let linksPlace = members.lastIndex(of: "links")
        let links = Self.links(of: object, at: linksPlace).map { Link(name: $0.name, kind: LinkKind($0.value)) }
        let linkNames = Set(links.map(\.name))
        let places = Dictionary(members.indices.map { (members[$0], $0) }, uniquingKeysWith: { $1 })
        self.members = members
        self.linksPlace = linksPlace
        self.links = links
        sideloads = links.indices.compactMap { index in
            let name = links[index].name
            guard name != "links", let place = places[name] else { return nil }
            let singular = links[index].kind == .many ? naming.inflection.singular(of: name) : name
            return SideloadPlace(link: index, member: place, model: naming.inflection.camelized(singular))
        }
        self.attributes = members.indices.filter { members[$0] != "links" && !linkNames.contains(members[$0]) }

        let reserved = Self.reserved(naming)
        let attributes = attributes.map { members[$0] }
        attributeCount = attributes.count
        id = attributes.lastIndex(of: "id")
        createdAt = attributes.lastIndex(of: "created_at")
        updatedAt = attributes.lastIndex(of: "updated_at")
        canceledAt = attributes.lastIndex(of: naming.softDeleteAttribute)
        let names =
            attributes.map { reserved[$0] ?? $0 }
            + links.flatMap { link in
                let name = columns.prefix + link.name
                return switch link.kind {
                case .one: ["\(name)_id"]
                case .polymorphic: ["\(name)_id", "\(name)_type"]
                case .many: ["\(columns.prefix)\(naming.inflection.singular(of: link.name))_ids"]
                }
            }
        self.names = names
        encodedNames = Self.encoded(names)
    }

    private static func encoded(_ names: [String]) -> [[UInt8]] {
        names.map { JSON.string($0).bytes + [UInt8(ascii: ":")] }
    }

    /// Whether a payload has these members and links, so that this is its shape.
    func matches(_ object: JSON.Object) -> Bool {
        guard object.members.count == members.count else { return false }
        for index in members.indices where object.members[index].name != members[index] { return false }
        let found = links(of: object)
        guard found.count == links.count else { return false }
        for index in links.indices {
            guard found[index].name == links[index].name, LinkKind(found[index].value) == links[index].kind else {
                return false
            }
        }
        return true
    }

    /// The values of a payload of this shape, in the order of ``names``.
    func values(of object: JSON.Object) -> [JSON] {
        var values: [JSON] = []
        values.reserveCapacity(names.count)
        for index in attributes { values.append(object.members[index].value) }
        for member in links(of: object) {
            switch LinkKind(member.value) {
            case .one, .many: values.append(member.value)
            case .polymorphic:
                values.append(member.value["id"] ?? .null)
                values.append(member.value["type"] ?? .null)
            }
        }
        return values
    }

    /// The links of a payload of this shape.
    func links(of object: JSON.Object) -> [JSON.Object.Member] { Self.links(of: object, at: linksPlace) }

    private static func links(of object: JSON.Object, at place: Int?) -> [JSON.Object.Member] {
        guard let place, case .object(let links) = object.members[place].value else { return [] }
        return links.members
    }
}
