// What a front end does with the types; it compiles only where they say what the specification says.
import type {
  CampaignType,
  DeviceType,
  NotificationDashboardData,
  NotificationEvent,
  NotificationEventType,
  NotificationPreferences,
  NotificationStatus,
  PushCampaign,
  PushCampaignRecipient,
  PushProvider,
  PushProviderType,
  PushTemplate,
  SMSCampaign,
  SMSCampaignRecipient,
  SMSProvider,
  SMSProviderType,
  SMSTemplate,
  operations,
} from "./notification";

type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : never) : never;

export const words: [
  Same<SMSProviderType, "twilio" | "aws_sns" | "nexmo" | "sinch">,
  Same<PushProviderType, "firebase" | "onesignal" | "aws_sns" | "apns">,
  Same<NotificationStatus, "queued" | "sending" | "delivered" | "failed" | "bounced" | "opted_out">,
  Same<NotificationEventType, "sent" | "delivered" | "opened" | "clicked" | "failed" | "bounced" | "opted_out">,
  Same<DeviceType, "ios" | "android" | "web" | "unknown">,
  Same<CampaignType, "sms" | "push">,
] = [true, true, true, true, true, true];

export const columns: {
  smsProvider: (keyof SMSProvider)[];
  pushProvider: (keyof PushProvider)[];
  smsTemplate: (keyof SMSTemplate)[];
  pushTemplate: (keyof PushTemplate)[];
  smsCampaign: (keyof SMSCampaign)[];
  pushCampaign: (keyof PushCampaign)[];
  smsRecipient: (keyof SMSCampaignRecipient)[];
  pushRecipient: (keyof PushCampaignRecipient)[];
  preferences: (keyof NotificationPreferences)[];
  event: (keyof NotificationEvent)[];
} = {
  smsProvider: ["id", "userId", "providerName", "providerType", "apiKey", "apiSecret", "accountSid", "phoneNumber", "isActive", "config"],
  pushProvider: ["id", "userId", "providerName", "providerType", "apiKey", "apiSecret", "serverKey", "senderId", "isActive", "config"],
  smsTemplate: ["id", "userId", "templateName", "content", "variables", "characterCount", "description"],
  pushTemplate: ["id", "userId", "templateName", "title", "body", "imageUrl", "actionUrl", "variables", "description"],
  smsCampaign: ["id", "userId", "campaignName", "templateId", "providerId", "description", "status", "scheduledSendTime", "sentAt", "audienceFilter"],
  pushCampaign: ["id", "userId", "campaignName", "templateId", "providerId", "description", "status", "scheduledSendTime", "sentAt", "audienceFilter"],
  smsRecipient: ["id", "campaignId", "phoneNumber", "recipientName", "userId", "status", "deliveredAt", "readAt", "failureReason", "providerMessageId", "personalizationData"],
  pushRecipient: ["id", "campaignId", "deviceToken", "recipientName", "deviceType", "userId", "status", "deliveredAt", "openedAt", "clickedAt", "failureReason", "providerMessageId", "personalizationData"],
  preferences: ["id", "userId", "customerId", "phoneNumber", "deviceToken", "smsOptedIn", "pushOptedIn", "marketingOptedIn", "transactionalOptedIn", "smsCategories", "pushCategories"],
  event: ["id", "campaignId", "recipientId", "campaignType", "userId", "eventType", "eventTimestamp", "metadata"],
};

export function headline(data: NotificationDashboardData): string {
  const [best] = data.topPerformingSMSCampaigns;
  const rate = best ? `, best ${best.campaignName} (${best.deliveryRate} %)` : "";
  return `${data.totalSMSCampaigns + data.totalPushCampaigns} campaigns, ${data.smsSendCost.toFixed(2)}${rate}`;
}

type Answer<Name extends keyof operations> = operations[Name] extends {
  responses: { 200: { content: { "application/json": infer Body } } };
}
  ? Body
  : never;

export async function dashboard(key: string): Promise<NotificationDashboardData> {
  const answer = await fetch("/api/notification/dashboard", { headers: { Authorization: `Bearer ${key}` } });
  const body = (await answer.json()) as Answer<"getNotificationDashboardData">;
  return body.data;
}
