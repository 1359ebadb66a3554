public import Dionysus

public struct Account: Model {
    public var id: Int
    public var name: String
    public var defaultCheckInTime: Int?
    public var createdAt: Timestamp
    public var updatedAt: Timestamp

    public enum CodingKeys: String, CodingKey {
        case id, name
        case defaultCheckInTime = "default_check_in_time"
        case createdAt = "created_at"
        case updatedAt = "updated_at"
    }

    public static let rentals = hasMany(Rental.self, by: .accountID)
}

public struct Rental: Model {
    public var id: Int
    public var accountID: Int
    public var name: String
    public var price: ExactDecimal
    public var bedrooms: Int
    public var ownCheckInTime: Int?
    public var canceledAt: Timestamp?
    public var createdAt: Timestamp
    public var updatedAt: Timestamp

    public enum CodingKeys: String, CodingKey {
        case id, name, price, bedrooms
        case accountID = "account_id"
        case ownCheckInTime = "own_check_in_time"
        case canceledAt = "canceled_at"
        case createdAt = "created_at"
        case updatedAt = "updated_at"
    }

    public static let account = belongsTo(Account.self, by: .accountID)
}

public struct Booking: Model {
    public var id: Int
    public var rentalID: Int
    public var startAt: Timestamp
    public var basePrice: ExactDecimal
    public var canceledAt: Timestamp?
    public var createdAt: Timestamp
    public var updatedAt: Timestamp

    public enum CodingKeys: String, CodingKey {
        case id
        case rentalID = "rental_id"
        case startAt = "start_at"
        case basePrice = "base_price"
        case canceledAt = "canceled_at"
        case createdAt = "created_at"
        case updatedAt = "updated_at"
    }

    public static let rental = belongsTo(Rental.self, by: .rentalID)
    public static let fees = hasMany(BookingsFee.self, by: .bookingID)
}

public struct BookingsFee: Model {
    public var id: Int
    public var bookingID: Int
    public var name: String
    public var amount: ExactDecimal
    public var createdAt: Timestamp
    public var updatedAt: Timestamp

    public enum CodingKeys: String, CodingKey {
        case id, name, amount
        case bookingID = "booking_id"
        case createdAt = "created_at"
        case updatedAt = "updated_at"
    }

    public static let booking = belongsTo(Booking.self, by: .bookingID)
}
