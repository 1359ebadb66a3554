public import Dionysus

/// What a payload is made of.
public struct Fields<Record: Model>: Sendable {
    var fields: [Field<Record>]
}

/// One member of a payload.
struct Field<Record: Model>: Sendable {
    enum Content: Sendable {
        /// A property under its coding key.
        case property(scale: Int?)
        /// A computed attribute.
        case computed(scale: Int?, @Sendable (Record, Related<Record>) throws -> any AttributeValue)
        /// A link, and a sideload where the publication asks for it.
        case relationship(AssociationDescription)
    }

    let name: String
    let content: Content
    let loads: [AssociationDescription]
}

/// Collects the fields of a serializer.
@resultBuilder
public enum FieldsBuilder<Record: Model> {
    public static func buildExpression<Part: FieldGroup>(_ part: Part) -> Fields<Record> where Part.Record == Record {
        part.fields
    }
    public static func buildBlock(_ parts: Fields<Record>...) -> Fields<Record> {
        Fields(fields: parts.flatMap(\.fields))
    }
    public static func buildOptional(_ part: Fields<Record>?) -> Fields<Record> { part ?? Fields(fields: []) }
    public static func buildEither(first: Fields<Record>) -> Fields<Record> { first }
    public static func buildEither(second: Fields<Record>) -> Fields<Record> { second }
}

/// One or more fields.
public protocol FieldGroup<Record>: Sendable {
    associatedtype Record: Model
    /// The fields.
    var fields: Fields<Record> { get }
}

/// Properties of the record, under their coding keys.
public struct Attributes<Record: Model>: FieldGroup {
    public let fields: Fields<Record>

    /// Lists properties.
    /// - Parameter keys: Their coding keys.
    public init(_ keys: Record.CodingKeys...) {
        fields = Fields(fields: keys.map { Field(name: $0.stringValue, content: .property(scale: nil), loads: []) })
    }
}

/// One attribute: a property, or a computation.
public struct Attribute<Record: Model>: FieldGroup {
    public let fields: Fields<Record>

    /// A property of the record.
    /// - Parameters:
    ///   - key: Its coding key.
    ///   - scale: For a decimal number: how many digits are behind the point on the wire.
    public init(_ key: Record.CodingKeys, scale: Int? = nil) {
        fields = Fields(fields: [Field(name: key.stringValue, content: .property(scale: scale), loads: [])])
    }

    /// A computation in the place of a property.
    /// - Parameters:
    ///   - key: The coding key of the property whose name the attribute has.
    ///   - scale: For a decimal number: how many digits are behind the point on the wire.
    ///   - associations: What the computation asks `related` for.
    ///   - value: The computation. What it throws makes the record's publication fail, to be tried again.
    public init<Value: AttributeValue>(
        _ key: Record.CodingKeys,
        scale: Int? = nil,
        loading associations: any AssociationFrom<Record>...,
        value: @escaping @Sendable (Record, Related<Record>) throws -> Value
    ) {
        self.init(name: key.stringValue, scale: scale, loading: associations.map(\.description), value: value)
    }

    /// A computed attribute.
    /// - Parameters:
    ///   - name: Its name on the wire.
    ///   - scale: For a decimal number: how many digits are behind the point on the wire.
    ///   - associations: What the computation asks `related` for.
    ///   - value: The computation. What it throws makes the record's publication fail, to be tried again.
    public init<Value: AttributeValue>(
        _ name: String,
        scale: Int? = nil,
        loading associations: any AssociationFrom<Record>...,
        value: @escaping @Sendable (Record, Related<Record>) throws -> Value
    ) {
        self.init(name: name, scale: scale, loading: associations.map(\.description), value: value)
    }

    private init<Value: AttributeValue>(
        name: String,
        scale: Int?,
        loading associations: [AssociationDescription],
        value: @escaping @Sendable (Record, Related<Record>) throws -> Value
    ) {
        fields = Fields(fields: [
            Field(name: name, content: .computed(scale: scale) { try value($0, $1) }, loads: associations)
        ])
    }
}

/// A link to one other record.
public struct HasOne<Record: Model>: FieldGroup {
    public let fields: Fields<Record>

    /// Declares the link.
    /// - Parameters:
    ///   - name: Its name on the wire.
    ///   - association: The association it stands for.
    public init<Target: Model>(_ name: String, _ association: ToOneAssociation<Record, Target>) {
        fields = Fields(fields: [relationship(name, association.description)])
    }
}

/// A link to any number of other records.
public struct HasMany<Record: Model>: FieldGroup {
    public let fields: Fields<Record>

    /// Declares the link.
    /// - Parameters:
    ///   - name: Its name on the wire.
    ///   - association: The association it stands for.
    public init<Target: Model>(_ name: String, _ association: ToManyAssociation<Record, Target>) {
        fields = Fields(fields: [relationship(name, association.description)])
    }
}

private func relationship<Record: Model>(_ name: String, _ association: AssociationDescription) -> Field<Record> {
    Field(name: name, content: .relationship(association), loads: [])
}
