public import Dionysus

/// What a payload is made of.
///
/// Fields that several serializers share are a value of this type; a serializer that lists them can override each.
public struct Fields<Record: Model>: Sendable {
    var list: [Field<Record>]
    /// Whether the record is written as it encodes itself, with all its properties.
    var areAllProperties = false
}

/// One member of a payload.
struct Field<Record: Model>: Sendable {
    enum Content: Sendable {
        /// A property under its coding key.
        case property(scale: Int?)
        /// A computed attribute.
        case computed(
            scale: Int?,
            type: any AttributeValue.Type,
            @Sendable (Record, Related<Record>) throws -> any AttributeValue
        )
        /// What the database computes.
        case sql(SQLAttribute)
        /// A link, and a sideload where the publication asks for it.
        case relationship(Link<Record>)
    }

    let name: String
    let content: Content
    let loads: [AssociationDescription]
}

/// A link to other records.
struct Link<Record: Model>: Sendable {
    /// The ways to the other records: none for a link that is only computed, several for a polymorphic one.
    var branches: [AssociationDescription] = []
    var isPolymorphic = false
    var isToMany = false
    /// A computation in the place of what the association gives.
    var link: (@Sendable (Record, Related<Record>) throws -> any AttributeValue)?
}

/// Collects the fields of a serializer.
@resultBuilder
public enum FieldsBuilder<Record: Model> {
    public static func buildExpression<Part: FieldGroup>(_ part: Part) -> Fields<Record> where Part.Record == Record {
        part.fields
    }
    public static func buildBlock(_ parts: Fields<Record>...) -> Fields<Record> {
        Fields(list: parts.flatMap(\.list))
    }
    public static func buildOptional(_ part: Fields<Record>?) -> Fields<Record> { part ?? Fields(list: []) }
    public static func buildEither(first: Fields<Record>) -> Fields<Record> { first }
    public static func buildEither(second: Fields<Record>) -> Fields<Record> { second }
    public static func buildArray(_ parts: [Fields<Record>]) -> Fields<Record> { Fields(list: parts.flatMap(\.list)) }
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
        fields = Fields(list: keys.map { Field(name: $0.stringValue, content: .property(scale: nil), loads: []) })
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
        fields = Fields(list: [Field(name: key.stringValue, content: .property(scale: scale), loads: [])])
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
        self.init(name: key.stringValue, scale: scale, loading: associations.flatMap(\.descriptions), value: value)
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
        self.init(name: name, scale: scale, loading: associations.flatMap(\.descriptions), value: value)
    }

    /// An attribute that the database computes, with the record's row and in the snapshot that the record is read in.
    ///
    ///     Attribute(
    ///         "open_bookings",
    ///         sql: "select count(*) from bookings b where b.rental_id = rental.id and b.canceled_at is null",
    ///         Int.self
    ///     )
    ///
    /// A change of anything that the expression reads publishes the record. What it reads is asked of the database, when
    /// triggers are installed. An expression whose value changes by itself, such as one that reads the clock, is refused.
    /// - Parameters:
    ///   - name: Its name on the wire.
    ///   - expression: An expression, or a `SELECT` of one value. The model's name in snake case stands for the record's
    ///     row: `rental.id`. It is part of the application, and must hold nothing from outside.
    ///   - type: The type of the value.
    ///   - scale: For a decimal number: how many digits are behind the point on the wire.
    ///   - nullable: Whether there may be no value. If not, a record without one isn't published, and is tried again.
    ///   - associations: The ways to tables that the expression reads, where foreign keys and associations don't show them.
    ///   - columns: The columns that functions of the expression read, by table, where the database can't know it.
    public init<Value: AttributeValue & Decodable>(
        _ name: String,
        sql expression: String,
        _ type: Value.Type,
        scale: Int? = nil,
        nullable: Bool = true,
        via associations: any AssociationFrom<Record>...,
        reading columns: [String: [String]] = [:]
    ) {
        let attribute = SQLAttribute(
            name: name,
            expression: expression,
            type: type,
            scale: scale,
            isNullable: nullable,
            via: associations.flatMap(\.descriptions),
            reads: columns.sorted { $0.key < $1.key }.map { SQLAttribute.Read(table: $0.key, columns: $0.value) }
        )
        fields = Fields(list: [Field(name: name, content: .sql(attribute), loads: [])])
    }

    private init<Value: AttributeValue>(
        name: String,
        scale: Int?,
        loading associations: [AssociationDescription],
        value: @escaping @Sendable (Record, Related<Record>) throws -> Value
    ) {
        fields = Fields(list: [
            Field(
                name: name,
                content: .computed(scale: scale, type: Value.self) { try value($0, $1) },
                loads: associations
            )
        ])
    }
}

/// A link to one other record.
public struct HasOne<Record: Model>: FieldGroup {
    public let fields: Fields<Record>

    /// The link that an association gives.
    /// - Parameters:
    ///   - name: Its name on the wire.
    ///   - association: The association it stands for.
    public init<Target: Model>(_ name: String, _ association: ToOneAssociation<Record, Target>) {
        fields = .relationship(name, Link(branches: [association.description]))
    }

    /// The link that a polymorphic association gives: `{"id":…,"type":"ModelName"}`.
    /// - Parameters:
    ///   - name: Its name on the wire.
    ///   - association: The association it stands for.
    public init(_ name: String, _ association: PolymorphicAssociation<Record>) {
        fields = .relationship(name, Link(branches: association.descriptions, isPolymorphic: true))
    }

    /// The link that an association gives, overridden.
    /// - Parameters:
    ///   - name: Its name on the wire.
    ///   - association: The association it stands for; its record is sideloaded only where it is the linked one.
    ///   - associations: What the computation asks `related` for, besides `association`.
    ///   - id: The linked record's primary key, or nil for none.
    public init<Target: Model, ID: AttributeValue>(
        _ name: String,
        _ association: ToOneAssociation<Record, Target>,
        loading associations: any AssociationFrom<Record>...,
        id: @escaping @Sendable (Record, Related<Record>) throws -> ID?
    ) {
        let loads = [association.description] + associations.flatMap(\.descriptions)
        let relationship = Link<Record>(branches: [association.description]) { try id($0, $1) }
        fields = .relationship(name, relationship, loads: loads)
    }

    /// A computed link.
    /// - Parameters:
    ///   - name: Its name on the wire.
    ///   - associations: What the computation asks `related` for.
    ///   - id: The linked record's primary key, or nil for none.
    public init<ID: AttributeValue>(
        _ name: String,
        loading associations: any AssociationFrom<Record>...,
        id: @escaping @Sendable (Record, Related<Record>) throws -> ID?
    ) {
        let relationship = Link<Record> { try id($0, $1) }
        fields = .relationship(name, relationship, loads: associations.flatMap(\.descriptions))
    }
}

/// A link to any number of other records.
public struct HasMany<Record: Model>: FieldGroup {
    public let fields: Fields<Record>

    /// The link that an association gives.
    /// - Parameters:
    ///   - name: Its name on the wire.
    ///   - association: The association it stands for.
    public init<Target: Model>(_ name: String, _ association: ToManyAssociation<Record, Target>) {
        fields = .relationship(name, Link(branches: [association.description], isToMany: true))
    }

    /// The link that an association gives, overridden.
    /// - Parameters:
    ///   - name: Its name on the wire.
    ///   - association: The association it stands for; of its records those are sideloaded that are linked.
    ///   - associations: What the computation asks `related` for, besides `association`.
    ///   - ids: The linked records' primary keys, in the order in which they are published.
    public init<Target: Model, ID: AttributeValue>(
        _ name: String,
        _ association: ToManyAssociation<Record, Target>,
        loading associations: any AssociationFrom<Record>...,
        ids: @escaping @Sendable (Record, Related<Record>) throws -> [ID]
    ) {
        let loads = [association.description] + associations.flatMap(\.descriptions)
        let relationship = Link<Record>(branches: [association.description], isToMany: true) {
            try ids($0, $1)
        }
        fields = .relationship(name, relationship, loads: loads)
    }

    /// A computed link.
    /// - Parameters:
    ///   - name: Its name on the wire.
    ///   - associations: What the computation asks `related` for.
    ///   - ids: The linked records' primary keys.
    public init<ID: AttributeValue>(
        _ name: String,
        loading associations: any AssociationFrom<Record>...,
        ids: @escaping @Sendable (Record, Related<Record>) throws -> [ID]
    ) {
        let relationship = Link<Record>(isToMany: true) { try ids($0, $1) }
        fields = .relationship(name, relationship, loads: associations.flatMap(\.descriptions))
    }
}

extension Fields {
    fileprivate static func relationship(
        _ name: String,
        _ relationship: Link<Record>,
        loads: [AssociationDescription] = []
    ) -> Fields {
        Fields(list: [Field(name: name, content: .relationship(relationship), loads: loads)])
    }
}

extension Fields: FieldGroup {
    public var fields: Fields<Record> { self }
}
