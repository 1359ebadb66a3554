public import Dionysus

/// Chooses the serializer of each record by an attribute, as where one table holds several types (single-table
/// inheritance).
///
///     Serializers {
///         ChosenSerializer(
///             by: Rental.CodingKeys.type,
///             ["Villa": VillaSerializer(), "Cabin": CabinSerializer()],
///             otherwise: RentalSerializer()
///         )
///     }
///
/// All of them are of one model, whose name the messages have. What any of them links or loads is loaded for each batch.
public struct ChosenSerializer<Record: Model>: ModelSerializer {
    let column: String
    let serializers: [String: any ModelSerializer<Record>]
    let other: any ModelSerializer<Record>

    public var fields: Fields<Record> { return Self.fields(of: other) }

    /// Chooses among serializers.
    /// - Parameters:
    ///   - attribute: The attribute that decides: a text, a number or a UUID.
    ///   - serializers: The serializers by the attribute's value, as text.
    ///   - other: The serializer of records with any other value.
    public init(
        by attribute: Record.CodingKeys,
        _ serializers: [String: any ModelSerializer<Record>],
        otherwise other: any ModelSerializer<Record>
    ) {
        column = attribute.stringValue
        self.serializers = serializers
        self.other = other
    }

    private static func fields<S: ModelSerializer<Record>>(of serializer: S) -> Fields<Record> { serializer.fields }
}

/// A serializer that chooses another for each record.
protocol ChoosingSerializer {
    var variants: SerializerPlan.Variants { get }
}

extension ChosenSerializer: ChoosingSerializer {
    var variants: SerializerPlan.Variants {
        SerializerPlan.Variants(column: column, plans: serializers.mapValues { SerializerPlan($0) })
    }
}

extension SerializerPlan {
    /// The plans among which a column chooses.
    struct Variants: Sendable {
        let column: String
        let plans: [String: SerializerPlan]
    }

    /// This plan and those that may be chosen in its place, in a fixed order.
    var all: [SerializerPlan] {
        guard let variants else { return [self] }
        return [self] + variants.plans.sorted { $0.key < $1.key }.map(\.value)
    }

    /// What any of them loads.
    var allLoads: [AssociationDescription] { all.flatMap(\.loads).withoutRepetitions }

    /// What any of them links.
    var allRelationships: [Relationship] { all.flatMap(\.relationships) }

    /// The plan for a row.
    func chosen(for row: Row) -> SerializerPlan {
        guard let variants else { return self }
        return variants.plans[row[variants.column].primaryKeyText] ?? self
    }

    /// The plan for a record whose attributes are these.
    func chosen(for attributes: JSON.Object) -> SerializerPlan {
        guard let variants else { return self }
        switch attributes[variants.column] {
        case .string(let text): return variants.plans[text] ?? self
        case .integer(let number): return variants.plans[String(number)] ?? self
        default: return self
        }
    }
}
