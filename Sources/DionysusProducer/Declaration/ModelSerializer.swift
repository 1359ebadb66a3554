public import Dionysus

/// How one model becomes payloads.
///
///     struct RentalSerializer: ModelSerializer {
///         var fields: Fields<Rental> {
///             Attributes(.id, .name)
///             Attribute(.price, scale: 2)
///             Attribute("check_in_time", loading: Rental.account) { rental, related in
///                 try rental.ownCheckInTime ?? related[Rental.account].defaultCheckInTime
///             }
///             HasOne("account", Rental.account)
///         }
///     }
///
/// The payload has the attributes in their order, then the links. A field that is declared again replaces the
/// earlier one of its name, in its place.
public protocol ModelSerializer<Record>: Sendable {
    /// The model.
    associatedtype Record: Model

    /// What the payload is made of.
    @FieldsBuilder<Record> var fields: Fields<Record> { get }
}

/// The serializer of a model that is published whole: every property as the record encodes itself, without links.
///
///     Serializers { RentalSerializer(); Whole(Currency.self) }
///
/// A property that the model gains later is published as well. A model with anything that other services must not see,
/// such as a password's digest, has a serializer of its own, which names what is published.
public struct Whole<Record: Model>: ModelSerializer {
    public var fields: Fields<Record> { return Fields(list: [], areAllProperties: true) }

    /// Publishes a model whole.
    public init(_ model: Record.Type) {}
}

/// The serializers that the topics of a namespace share.
public struct Serializers: Sendable {
    let plans: [SerializerPlan]

    /// Collects serializers; of several for one model the last counts.
    public init(@ListBuilder<any ModelSerializer> _ serializers: () -> [any ModelSerializer]) {
        plans = serializers().map { SerializerPlan($0) }
    }

    init(_ plans: [SerializerPlan]) { self.plans = plans }

    func plan(of model: ModelDescription) -> SerializerPlan? { plans.last { $0.model == model } }

    /// What is wrong with a model that has no serializer, after the model's place.
    static func missing(for model: ModelDescription) -> String {
        ": it has no serializer, and nothing is published that nobody has named; write a ModelSerializer, or list "
            + "Whole(\(model).self) among the serializers to publish every property"
    }
}

extension ModelSerializer {
    var modelDescription: ModelDescription { ModelDescription(Record.self) }
}
